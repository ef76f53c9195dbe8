"""Clients of librdkafka and forks."""

from __future__ import annotations

import ctypes
import os
import threading
import weakref
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class PerProcess(Generic[T]):
    """A client that is made on first use, and made anew in a forked child. Thread-safe.

    librdkafka's threads do not survive a fork: the parent's client delivers nothing in the child, and destroying it
    there waits for threads that are gone. So the child forgets it without ever destroying it.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._client: T | None = None
        self._lock = threading.Lock()
        method = weakref.WeakMethod(self._abandon)
        os.register_at_fork(after_in_child=lambda: _call(method))

    def get(self) -> T:
        """This process's client."""
        with self._lock:
            if self._client is None:
                self._client = self._make()
            return self._client

    def discard(self, client: T) -> None:
        """Let go of a client that is of no more use; the next `get` makes another. Twice is once."""
        with self._lock:
            if self._client is client:
                self._client = None

    def take(self) -> T | None:
        """The client if there is one, and let go of it."""
        with self._lock:
            client, self._client = self._client, None
            return client

    def _abandon(self) -> None:
        self._lock = threading.Lock()
        if self._client is not None:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._client))
            self._client = None


def _call(method: weakref.WeakMethod[Callable[[], None]]) -> None:
    if bound := method():
        bound()
