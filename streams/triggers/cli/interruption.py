"""How programs that start other programs are ended."""

from __future__ import annotations

import signal


def end_by_signals() -> None:
    """SIGINT and SIGTERM raise KeyboardInterrupt in the main thread, so that everything is cleaned up.

    SIGINT by name: a shell without job control (a script, CI) has it ignored in what it starts with `&`, and Python
    leaves that as it is.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
