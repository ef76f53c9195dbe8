"""`call_within`: calls a function with a time limit, even if the function never returns."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class CallHung(Exception):
    """The call did not return in time. Its thread continues, so objects that the call uses must not be used again."""


def call_within(seconds: float, call: Callable[[], T]) -> T:
    """Calls the function in a new thread. Returns its result, or raises its exception in the caller's thread.

    Blocks. Raises CallHung if the function does not return within `seconds`. The thread is a daemon, so it does not
    keep the process from ending.
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
