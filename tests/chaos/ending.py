"""Threads that run while the campaign does something."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Watcher(Protocol):
    """A thread that ends only when `finish` is called."""

    def start(self) -> None:
        """Starts it."""

    def finish(self) -> object:
        """Stops it and waits for its end."""


@contextmanager
def ending(watcher: Watcher) -> Iterator[None]:
    """Starts the thread, and ends it whatever happens.

    A thread that is inside a call of a Kafka client when Python exits can crash the process, which would hide why.
    """
    watcher.start()
    try:
        yield
    finally:
        watcher.finish()
