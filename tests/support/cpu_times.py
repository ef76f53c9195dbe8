"""A plugin that prints which files of tests cost most CPU time: `make tests ARGS="-p tests.support.cpu_times"`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

import psutil
import pytest

SHOWN: Final = 30
"""Number of files that are printed."""
_SHARED: Final = "java"
"""Name of processes that work for other tests, too, if they were there before the test and are there after it."""

seconds: defaultdict[str, float] = defaultdict(float)
"""File -> CPU seconds of its tests and of the processes that they start."""


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    before = _used()
    result = yield
    after = _used()
    shared = {pid for pid in before.keys() & after.keys() if _is_shared(pid)}
    used = sum(after.values()) - sum(before.values()) - sum(after[pid] - before[pid] for pid in shared)
    seconds[item.nodeid.partition("::")[0]] += used
    return result


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In a process of xdist, passes the times to the process that prints."""
    if (output := getattr(session.config, "workeroutput", None)) is not None:
        output["cpu_seconds"] = dict(seconds)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:  # noqa: ANN401  # xdist has no types
    """Adds the times of a process of xdist."""
    for file, used in getattr(node, "workeroutput", {}).get("cpu_seconds", {}).items():
        seconds[file] += used


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.section(f"CPU seconds of the {SHOWN} files that cost most, of {sum(seconds.values()):.0f}")
    for file, used in sorted(seconds.items(), key=lambda each: -each[1])[:SHOWN]:
        terminalreporter.write_line(f"{used:8.1f} {file}")


def _used() -> dict[int, float]:
    """Returns the CPU seconds of this process and its descendants. A parent's include those of ended children."""
    me = psutil.Process()
    used = dict[int, float]()
    for process in (me, *me.children(recursive=True)):
        with suppress(psutil.Error):
            used[process.pid] = sum(process.cpu_times()[:4])
    return used


def _is_shared(pid: int) -> bool:
    try:
        return psutil.Process(pid).name() == _SHARED
    except psutil.Error:
        return False
