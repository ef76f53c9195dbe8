"""`PerProcess`: creates one librdkafka client per process, because a client must not be used after a fork."""

from __future__ import annotations

import ctypes
import os
import threading
import weakref
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class PerProcess(Generic[T]):
    """A client that is created on first use, and created again in a forked child. Thread-safe.

    The threads of librdkafka do not survive a fork: in the child, the parent's client delivers nothing, and destroying
    it would wait forever for its threads. So the child drops its reference without destroying the client.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make_client = make
        self._client: T | None = None
        self._lock = threading.RLock()
        """It can be acquired again, because a signal handler may run while this thread creates its client."""
        method = weakref.WeakMethod(self._abandon)
        os.register_at_fork(after_in_child=lambda: _call(method))

    def get(self) -> T:
        """Returns the client of this process; creates it if there is none."""
        with self._lock:
            if self._client is None:
                self._client = self._make_client()
            return self._client

    def discard(self, client: T) -> None:
        """Drops a broken client, so that the next `get` creates another. Idempotent: a newer client is kept."""
        with self._lock:
            if self._client is client:
                self._client = None

    def take(self) -> T | None:
        """Removes the client and returns it, or returns None if there is none. The caller must close it."""
        with self._lock:
            client, self._client = self._client, None
            return client

    def _abandon(self) -> None:
        self._lock = threading.RLock()
        if self._client is not None:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._client))
            self._client = None


def _call(method: weakref.WeakMethod[Callable[[], None]]) -> None:
    if bound := method():
        bound()
