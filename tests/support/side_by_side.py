"""How xdist spreads the tests over its processes."""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling

ONE_BY_ONE = ("tests/integration/", "tests/e2e/")
"""Each of their tests waits for something of its own; those of the other folders are many and short."""
TOGETHER = {
    "tests/integration/test_celery_runner.py",
    "tests/integration/test_chaos_doors.py",
    "tests/integration/test_hostile_input.py",
}
"""Their tests share a fixture that is slow to start."""


class SideBySide(LoadScopeScheduling):
    """Whoever has nothing to do takes the next test or file, in the order of the collection."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return nodeid if file.startswith(ONE_BY_ONE) and file not in TOGETHER else file
