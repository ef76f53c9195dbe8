"""Signal handling for commands that start other programs."""

from __future__ import annotations

import signal


def end_by_signals() -> None:
    """Let SIGINT and SIGTERM raise KeyboardInterrupt in the main thread, so that everything is cleaned up.

    The handler for SIGINT must be set explicitly: a shell without job control (a script, CI) starts background
    commands with SIGINT ignored, and Python does not change that.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
