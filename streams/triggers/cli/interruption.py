"""Signal handling for commands that start other programs, or serve until they are stopped."""

from __future__ import annotations

import signal
from types import FrameType
from typing import NoReturn


def end_by_signals() -> None:
    """Let SIGINT and SIGTERM raise KeyboardInterrupt in the main thread, so that everything is cleaned up.

    The handler for SIGINT must be set explicitly: a shell without job control (a script, CI) starts background
    commands with SIGINT ignored, and Python does not change that.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)


def stop_by_signals() -> None:
    """Let SIGINT and SIGTERM end the program with the exit code 0, because a server that is stopped has not failed.

    uvicorn handles the signals while it serves, and raises them again when it has stopped.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)


def _stop(_: int, __: FrameType | None) -> NoReturn:
    raise SystemExit(0)
