"""`Lockable`: a reentrant lock that one thread of one process holds at a time."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Self

from triggers.errors import LockAcquisitionFailed

if TYPE_CHECKING:
    from django.core.cache import BaseCache


class Lockable(ABC):
    """Base class of objects that a thread can lock against other threads and processes."""

    def __init__(self) -> None:
        self._holder: threading.Thread | None = None
        self._is_held: Callable[[], bool] | None = None

    @abstractmethod
    def get_lock_name(self) -> str:
        """Returns the lock's name. Objects with the same name exclude each other."""

    def get_lock_backend(self) -> str | BaseCache:
        """Returns the Django cache, or its name, whose server keeps the lock. Override `_lock` to keep it elsewhere."""
        return "default"

    @property
    def has_lock(self) -> bool:
        """True if the current thread holds the lock through this object."""
        return self._holder is threading.current_thread()

    @contextmanager
    def acquire_lock(self, ttl: bool | float | None = True, block: bool = True) -> Iterator[Self]:
        """Holds the lock during a `with` block. A nested block in the same thread does nothing.

        Blocks until the lock is free; with `block=False`, raises LockAcquisitionFailed instead. `ttl` is the number of
        seconds after which the lock expires: True is the cache's default, and None is never. Raises NotSupported for a
        cache without locks.
        """
        if self.has_lock:
            yield self
            return
        with self._lock(ttl, block) as self._is_held:
            self._holder = threading.current_thread()
            try:
                yield self
            finally:
                self._holder = None

    def check_lock(self) -> None:
        """Raises RuntimeError if this thread does not hold the lock, LockAcquisitionFailed if the lock has expired."""
        if not self.has_lock:
            raise RuntimeError("call acquire_lock() first: another process may be writing the session")
        if self._is_held is not None and not self._is_held():
            raise LockAcquisitionFailed(f"the lock {self.get_lock_name()!r} expired while it was held")

    def _lock(self, ttl: bool | float | None, block: bool) -> AbstractContextManager[Callable[[], bool] | None]:
        """Returns a context manager that holds the lock. A storage that does not use the cache's locks overrides this.

        Its value is a function that returns whether the lock is still held, or None if the lock cannot expire.
        """
        from triggers.storages.cache_locks import acquire_lock  # noqa: PLC0415  # it needs Django

        return acquire_lock(self.get_lock_name(), ttl, self.get_lock_backend(), block)
