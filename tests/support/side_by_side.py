"""Decides how xdist spreads the tests over its processes."""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling

ONE_BY_ONE = ("tests/integration/", "tests/e2e/", "tests/unit/test_wrong_broker.py")
"""Where tests are spread one by one, because each waits for its own processes or for time-outs. Others are short."""
TOGETHER = {
    "tests/integration/test_celery_runner.py",
    "tests/integration/test_chaos_doors.py",
    "tests/integration/test_hostile_input.py",
}
"""Files whose tests run in one process, because they share a fixture that starts slowly."""


class SideBySide(LoadScopeScheduling):
    """Gives an idle process the next test or file, in the order of the collection."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return nodeid if file.startswith(ONE_BY_ONE) and file not in TOGETHER else file
