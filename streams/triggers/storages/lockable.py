"""A lock that one thread of one process holds at a time, taken again by its holder without waiting."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Self

from triggers.storages.lock_errors import LockAcquisitionFailed


class Lockable(ABC):
    """Something that a thread can keep others from changing."""

    def __init__(self) -> None:
        self._holder: threading.Thread | None = None
        self._is_held: Callable[[], bool] | None = None

    @abstractmethod
    def get_lock_name(self) -> str:
        """Whoever locks the same name waits for each other."""

    def get_lock_backend(self) -> Any:  # noqa: ANN401  # a name, or a cache of Django
        """The Django cache whose server keeps the lock; override `_lock` instead to keep it elsewhere."""
        return "default"

    @property
    def has_lock(self) -> bool:
        """Whether the current thread holds the lock, through this object."""
        return self._holder is threading.current_thread()

    @contextmanager
    def acquire_lock(
        self, ttl: bool | float | None = True, block: bool = True
    ) -> Iterator[Self]:  # known to callers by place
        """Hold the lock during a `with` block; inside of another one of this thread, nothing happens.

        `ttl`: seconds after which it is released whatever happens; True: the cache's default; None: never. With
        `block=False`, raises LockAcquisitionFailed at once instead of waiting. Raises NotSupported for a cache that
        has no locks.
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
        """Raise RuntimeError unless this thread holds the lock, LockAcquisitionFailed if its time has run out."""
        if not self.has_lock:
            raise RuntimeError("acquire_lock() first: others may be writing")
        if self._is_held is not None and not self._is_held():
            raise LockAcquisitionFailed(f"the lock {self.get_lock_name()!r} was held for longer than its time")

    def _lock(self, ttl: bool | float | None, block: bool) -> AbstractContextManager[Callable[[], bool] | None]:
        """The lock itself, for a `with` block; its value tells whether it is held still, None: always.

        A storage that has locks of its own overrides this.
        """
        from triggers.storages.cache_locks import acquire_lock  # noqa: PLC0415  # needs Django

        return acquire_lock(self.get_lock_name(), ttl, self.get_lock_backend(), block)
