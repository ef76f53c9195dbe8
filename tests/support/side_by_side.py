"""Decides how xdist spreads the tests over its processes."""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling

ONE_BY_ONE = ("tests/integration/", "tests/e2e/")
"""Where tests are spread one by one, because each waits for its own processes. Others are short."""
TOGETHER = (
    "tests/integration/secured/",
    "tests/integration/test_api.py",
    "tests/integration/test_api_access.py",
    "tests/integration/test_api_fuzzed.py",
    "tests/integration/test_api_jobs.py",
    "tests/integration/test_api_repairs.py",
    "tests/integration/test_celery_runner.py",
    "tests/integration/test_chaos_doors.py",
    "tests/integration/test_console.py",
    "tests/integration/test_console_actions.py",
    "tests/integration/test_console_jobs.py",
    "tests/integration/test_console_long_words.py",
    "tests/integration/test_console_search.py",
    "tests/integration/test_damaged_records.py",
    "tests/integration/test_hostile_input.py",
    "tests/integration/test_installation.py",
    "tests/integration/test_late_answers.py",
    "tests/integration/test_lost_requests.py",
    "tests/integration/test_ports_on_kafka.py::TestSourceOnKafka",
    "tests/integration/test_ports_on_kafka.py::TestStreamOnKafka",
    "tests/integration/test_unreadable_records.py",
)
"""Beginnings of the names of tests that run in one process, because they share a fixture that starts slowly."""


class SideBySide(LoadScopeScheduling):
    """Gives an idle process the next test or file, in the order of the collection."""

    def _split_scope(self, nodeid: str) -> str:
        return scope_of(nodeid)


def scope_of(nodeid: str) -> str:
    """Returns the name of what runs in one process with the test: a file, a group that shares something, or itself."""
    file = nodeid.partition("::")[0]
    if not file.startswith(ONE_BY_ONE):
        return file
    return next((group for group in TOGETHER if nodeid.startswith(group)), nodeid)
