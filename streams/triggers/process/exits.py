"""The exit codes of a worker, their meanings, and which of them are followed by a restart.

A worker has no half-broken state. Any error that it cannot wait out ends the process, and the restarted worker
continues from what is committed.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import NoReturn

import structlog

log = structlog.get_logger(__name__)


class ExitCode(IntEnum):
    """The exit codes of a worker process."""

    OK = 0
    ENGINE_BUG = 70
    STORAGE = 71
    EVENTS_GONE = 72
    PORT_TAKEN = 73
    BROKER = 74
    FENCED = 75
    SKIPPED = 76
    UNREADABLE = 77
    MISFIT = 78
    CLOCK = 79

    @property
    def meaning(self) -> str:
        """Returns what happened and what the operator can do, as it is logged."""
        return _MEANINGS[self]

    @property
    def restarts(self) -> bool:
        """Returns whether a supervisor should start the worker again, after a pause."""
        return self not in {ExitCode.OK, ExitCode.EVENTS_GONE, ExitCode.MISFIT}


_MEANINGS = {
    ExitCode.OK: "stopped as requested",
    ExitCode.ENGINE_BUG: "a bug: nothing of the batch was written, so the restart meets the same record; report it",
    ExitCode.STORAGE: "a RocksDB file failed: the restart rebuilds it from the changelog; on a full disk, free space",
    ExitCode.EVENTS_GONE: "events were removed from the topic before they were applied: the log says which, and how to"
    " continue",
    ExitCode.PORT_TAKEN: "another process uses the worker's web port",
    ExitCode.BROKER: "the broker refused a call, or did not answer for longer than a transaction may take",
    ExitCode.FENCED: "fenced: the worker was unresponsive for too long, or another process uses its worker id (every"
    " slot needs its own) or sets the group's offsets",
    ExitCode.SKIPPED: "the consumer left out events repeatedly: nothing after them was applied; report the log",
    ExitCode.UNREADABLE: "records cannot be read, because they are damaged on the broker's disk, in an unknown format,"
    " or not permitted: nothing after them was applied; the log says which records they are",
    ExitCode.MISFIT: "topics, settings and this version do not match: a restart would not help; the log says why",
    ExitCode.CLOCK: "the machine's clock was set back, so the Kafka client would hang; the restart uses the new time",
}


def describe_exit(code: int) -> str:
    """Returns the meaning of an exit code of a worker process. A negative code is a signal, as in `subprocess`."""
    if code < 0:
        return f"killed by signal {-code}"
    return ExitCode(code).meaning if code in set(ExitCode) else "an unknown exit code"


class Stop(Exception):
    """Ends the worker with this exit code. Raised where the process must not continue."""

    def __init__(self, code: ExitCode, why: str) -> None:
        super().__init__(why)
        self.code = code
        self.why = why


def exit_now(code: ExitCode, why: str, error: BaseException | None = None) -> NoReturn:
    """Logs one line and ends the process at once. No clean-up runs, so no half-done work is completed."""
    log.error("worker exits", code=int(code), name=code.name, meaning=code.meaning, why=why, exc_info=error)
    logging.shutdown()
    sys.stderr.flush()
    os._exit(code)


@contextmanager
def crash_only() -> Iterator[None]:
    """Ends the process at once if the block raises, because clean-up could wait forever for a call that hangs."""
    try:
        yield
    except Stop as stop:
        exit_now(stop.code, stop.why, stop.__cause__)
    except Exception as error:  # noqa: BLE001  # the outermost handler of a process or of one of its loops
        exit_now(ExitCode.ENGINE_BUG, f"{type(error).__name__}: {error}", error)
