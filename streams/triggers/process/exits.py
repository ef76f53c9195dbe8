"""How a worker ends: every exit code, what it means and what the supervisor does about it.

A worker has no half-broken state: what it cannot wait out ends the process; the restart begins from what is committed.
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
    """Exit code of a worker process; `meaning` is its sentence in logs and docs."""

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

    @property
    def meaning(self) -> str:
        """What happened, and what to do."""
        return _MEANINGS[self]

    @property
    def restarts(self) -> bool:
        """Whether a supervisor should start the worker again, after a pause."""
        return self not in {ExitCode.OK, ExitCode.EVENTS_GONE, ExitCode.MISFIT}


_MEANINGS = {
    ExitCode.OK: "stopped as asked",
    ExitCode.ENGINE_BUG: "a bug: nothing of the batch was written, the restart meets the same record; report the log",
    ExitCode.STORAGE: "a RocksDB file failed; the restart rebuilds it from the changelog; a full disk needs room first",
    ExitCode.EVENTS_GONE: "events are no longer in the topic and were not applied; the log says which and how to go on",
    ExitCode.PORT_TAKEN: "another process listens on the worker's web port",
    ExitCode.BROKER: "the broker refused or did not answer for longer than a transaction may take",
    ExitCode.FENCED: "it was away for too long, or another process runs under its worker id (every slot needs its own),"
    " or sets the group's offsets",
    ExitCode.SKIPPED: "the consumer left events out again and again; nothing behind them was applied; report the log",
    ExitCode.UNREADABLE: "records cannot be read: damaged on the broker's disk, in an unknown format, or not permitted;"
    " nothing behind them was applied; the log says which",
    ExitCode.MISFIT: "topics, settings and this version do not fit together; a restart would not help",
}


def describe_exit(code: int) -> str:
    """The meaning of any exit code of a worker process, signals included."""
    if code < 0:
        return f"killed by signal {-code}"
    return ExitCode(code).meaning if code in set(ExitCode) else "ended in an unknown way"


class Stop(Exception):
    """Ends the worker with a named code; raised where a process must not go on."""

    def __init__(self, code: ExitCode, why: str) -> None:
        super().__init__(why)
        self.code = code
        self.why = why


def exit_now(code: ExitCode, why: str, error: BaseException | None = None) -> NoReturn:
    """Log one line and end the process at once: no clean-up runs, so nothing half-done can be finished."""
    log.error("worker exits", code=int(code), name=code.name, meaning=code.meaning, why=why, exc_info=error)
    logging.shutdown()
    sys.stderr.flush()
    os._exit(code)


@contextmanager
def crash_only() -> Iterator[None]:
    """Whatever is raised in the block ends the process at once: nothing that cleans up could wait for what hangs."""
    try:
        yield
    except Stop as stop:
        exit_now(stop.code, stop.why, stop.__cause__)
    except Exception as error:  # noqa: BLE001  # of a process, or of one of its loops
        exit_now(ExitCode.ENGINE_BUG, f"{type(error).__name__}: {error}", error)
