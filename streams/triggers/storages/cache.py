"""`CacheStorageBackend`: stores sessions in a Django cache. It also reads sessions of the Triggers framework."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final, cast
from zlib import crc32

from typing_extensions import override

from triggers.errors import CallError
from triggers.storages.base import BaseStorageBackend, Stored
from triggers.storages.cache_locks import acquire_lock, resolve_cache

try:
    from django.core.cache import DEFAULT_CACHE_ALIAS, BaseCache, caches
    from django.core.cache.backends.base import DEFAULT_TIMEOUT
except ImportError as error:
    raise ImportError("CacheStorageBackend needs Django: pip install 'kafka-triggers[django]'") from error

from triggers.storages.checked_cache import check_timeout, checked_cache

__all__ = ["CacheStorageBackend"]

_PREFIX: Final = "triggers.storages.cache"
_DUE_PREFIX: Final = "triggers.storages.cache.due"
_PARTS: Final = 64
"""Number of cache entries of the index. Each is read and written as a whole, under a lock of its own."""


class CacheStorageBackend(BaseStorageBackend):
    """An embedded storage that stores each session under one key of a Django cache.

    If the cache is on Redis (`django.core.cache.backends.redis` or django-redis), any number of processes may work on a
    session; a memory cache (locmem) serves one process. A failed read is never taken for an absent session, nor a
    failed write for a saved one, even if the cache hides errors. docs/storages.md lists the safe caches.
    """

    name: ClassVar[str | None] = "cache"
    triggers__registry_key: ClassVar[str] = "cache"
    """The key in `storage_backends`; the registry sets it."""

    def __init__(
        self, uid: str, cache: str | BaseCache = DEFAULT_CACHE_ALIAS, timeout: float | None = DEFAULT_TIMEOUT
    ) -> None:
        """`cache` is a cache of Django's settings, or its name.

        `timeout` is the number of seconds for which the session is kept after its last change. None keeps it forever;
        the default is that of the cache. Raises NotSupported for a cache that loses sessions, and CallError for a
        timeout of less than a second.
        """
        super().__init__(uid)
        self.cache = resolve_cache(cache)
        self._checked = checked_cache(self.cache)
        check_timeout(timeout, self.cache)
        self._alias = (
            cache if isinstance(cache, str) else next((name for name in caches if caches[name] is cache), None)
        )
        self.timeout = timeout

    @property
    def cache_key(self) -> str:
        """Key of the session in the cache. It is the same as in the Triggers framework."""
        return f"{_PREFIX}:{self.uid}"

    def worker_arguments(self) -> dict[str, Any]:
        """Returns the name of the cache and the timeout. Raises CallError if the cache is not in Django's settings."""
        if self._alias is None:
            detail = "workers find a cache by its name in Django's CACHES; pass the name"
            raise CallError(f"session {self.uid!r}: {detail}")
        alias = {} if self._alias == DEFAULT_CACHE_ALIAS else {"cache": self._alias}
        return alias if self.timeout is DEFAULT_TIMEOUT else alias | {"timeout": self.timeout}

    @override
    @classmethod
    def due_sessions(cls, now: int, *, cache: str = DEFAULT_CACHE_ALIAS, **_: Any) -> list[str]:
        return DueIndex(resolve_cache(cache)).sessions(now)

    def get_lock_backend(self) -> BaseCache:
        return self.cache

    def close(self, *_: object, **__: object) -> None:
        self.cache.close()

    def _load_from_backend(self) -> tuple[Stored, Stored, Mapping[str, Any]]:
        stored = self._checked.read(self.cache_key)
        if stored is None:
            return {}, {}, {}
        session = self._session_of(stored)
        return session.get("tasks") or {}, session.get("instances") or {}, session.get("metas") or {}

    def _session_of(self, stored: object) -> Mapping[str, Any]:
        """Returns the stored session.

        Raises CallError for a value that is not this session, because saving would overwrite that value.
        """
        if not isinstance(stored, Mapping):
            raise CallError(f"{self.cache_key!r} is not a session but a {type(stored).__name__}")
        if (uid := stored.get("uid", self.uid)) != self.uid:
            detail = "the cache's KEY_FUNCTION returns the same key for both; it must return different keys"
            raise CallError(f"session {self.uid!r} would overwrite session {uid!r}: {detail}")
        return stored

    @override
    def _store_due_time(self, due: int | None) -> None:
        DueIndex(self.cache).store(self.uid, due)

    def _save(self) -> None:
        session = {
            "uid": self.uid,
            "tasks": self._serialize(self._configs),
            "instances": self._serialize(self._instances),
            "metas": self._metas,
        }
        self._checked.write(self.cache_key, session, self.timeout)


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
    return f"{_DUE_PREFIX}:{number}"
