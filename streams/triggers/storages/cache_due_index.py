"""Which sessions in a Django cache have a timer, and when the first one is due: a cache cannot list its keys."""

from __future__ import annotations

from typing import Final, cast
from zlib import crc32

from django.core.cache import BaseCache

from triggers.storages.cache_locks import acquire_lock
from triggers.storages.checked_cache import checked_cache

_PREFIX: Final = "triggers.storages.cache.due"
_PARTS: Final = 64
"""Number of cache entries of the index. Each is read and written as a whole, under a lock of its own."""


class DueIndex:
    """The due times of sessions. They never expire; `run_due` removes those of sessions that have expired."""

    def __init__(self, cache: BaseCache) -> None:
        self._cache = cache
        self._checked = checked_cache(cache)

    def store(self, uid: str, due: int | None) -> None:
        """Stores when the session's first timer is due, in milliseconds since 1970; None removes the session."""
        key = _key(crc32(uid.encode()) % _PARTS)
        if due is None and uid not in self._read(key):
            return
        with acquire_lock(f"{key}:lock", cache=self._cache):
            times = self._read(key)
            times.pop(uid, None)
            if due is not None:
                times[uid] = due
            self._checked.write(key, times, None)

    def sessions(self, now: int) -> list[str]:
        """Returns the UIDs of the sessions whose first timer may be due at `now`."""
        parts = [self._read(_key(number)) for number in range(_PARTS)]
        return sorted(uid for times in parts for uid, due in times.items() if due <= now)

    def _read(self, key: str) -> dict[str, int]:
        return dict(cast("dict[str, int] | None", self._checked.read(key)) or {})


def _key(number: int) -> str:
    return f"{_PREFIX}:{number}"
