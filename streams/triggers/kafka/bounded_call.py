"""Calls that may never return."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class CallHung(Exception):
    """The call has not returned; its thread is left behind, and whatever it uses must not be used again."""


def call_within(seconds: float, call: Callable[[], T]) -> T:
    """What the call returns, in a thread of its own; raises what it raises, or Hung after so many seconds.

    The thread is a daemon: it does not keep the process from ending.
    """
    returned: list[T] = []
    raised: list[BaseException] = []

    def run() -> None:
        try:
            returned.append(call())
        except BaseException as error:  # noqa: BLE001  # raised below, in the caller's thread
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True, name="bounded-call")
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise CallHung
    if raised:
        raise raised[0]
    return returned[0]
