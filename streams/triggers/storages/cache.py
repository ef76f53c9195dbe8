"""Sessions in Django's cache, where the Triggers framework keeps them: it reads what the framework has written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from triggers.errors import CallError
from triggers.storages.base import BaseStorageBackend, Stored
from triggers.storages.cache_locks import resolve_cache

try:
    from django.core.cache import DEFAULT_CACHE_ALIAS, BaseCache, caches
    from django.core.cache.backends.base import DEFAULT_TIMEOUT
except ImportError as error:  # pragma: no cover  # the message is tested in a process of its own
    raise ImportError("CacheStorageBackend needs Django: pip install 'kafka-triggers[django]'") from error

from triggers.storages.checked_cache import check_timeout, checked_cache

__all__ = ["CacheStorageBackend"]

_PREFIX: Final = "triggers.storages.cache"


class CacheStorageBackend(BaseStorageBackend):
    """One key of a Django cache per session.

    With Redis behind the cache (`django.core.cache.backends.redis` or django-redis) any number of processes may work on
    a session; the memory cache (locmem) serves one process. An answer that is lost is never taken for a session that
    is not there, nor for one that is saved, whatever the cache's settings hide: docs/storages.md says what is safe.
    """

    name: ClassVar[str | None] = "cache"
    triggers__registry_key: ClassVar[str] = "cache"
    """Set by the registry."""

    def __init__(
        self, uid: str, cache: str | BaseCache = DEFAULT_CACHE_ALIAS, timeout: float | None = DEFAULT_TIMEOUT
    ) -> None:
        """`cache`: a cache of Django's settings, or its name. `timeout`: seconds after its last change that the session
        is kept; None: for ever; by default, as long as the cache keeps things. Raises NotSupported for a cache that
        loses sessions, CallError for a time that keeps none.
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
        """The session's key, the same as in the Triggers framework."""
        return f"{_PREFIX}:{self.uid}"

    def worker_arguments(self) -> dict[str, Any]:
        """See `BaseStorageBackend`. Raises CallError for a cache that Django's settings do not name."""
        if self._alias is None:
            raise CallError(f"session {self.uid!r}: workers find a cache by its name in Django's CACHES; give the name")
        alias = {} if self._alias == DEFAULT_CACHE_ALIAS else {"cache": self._alias}
        return alias if self.timeout is DEFAULT_TIMEOUT else alias | {"timeout": self.timeout}

    def get_lock_backend(self) -> BaseCache:
        """See `Lockable`."""
        return self.cache

    def close(self, *_: object, **__: object) -> None:
        """See `Storage`."""
        self.cache.close()

    def _load_from_backend(self) -> tuple[Stored, Stored, Mapping[str, Any]]:
        stored = self._checked.read(self.cache_key)
        if stored is None:
            return {}, {}, {}
        self._check_stored(stored)
        return stored.get("tasks") or {}, stored.get("instances") or {}, stored.get("metas") or {}

    def _check_stored(self, stored: object) -> None:
        """Raise CallError for what is not this session: saving it again would overwrite somebody else's."""
        if not isinstance(stored, Mapping):
            raise CallError(f"{self.cache_key!r} holds no session but a {type(stored).__name__}")
        if (uid := stored.get("uid", self.uid)) != self.uid:
            detail = "the cache's KEY_FUNCTION gives both the same key; it must tell keys apart"
            raise CallError(f"session {self.uid!r} would overwrite session {uid!r}: {detail}")

    def _save(self) -> None:
        session = {
            "uid": self.uid,
            "tasks": self._serialize(self._configs),
            "instances": self._serialize(self._instances),
            "metas": self._metas,
        }
        self._checked.write(self.cache_key, session, self.timeout)
