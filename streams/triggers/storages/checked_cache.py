"""Reads and writes of a Django cache whose answers are checked.

A cache may lose an answer and say "nothing there", or lose what it was given and say nothing. A session that is taken
for absent is saved empty: rules and events are gone. So here a value is absent only if the server says so, and written
only if the server says that it has it.
"""

from __future__ import annotations

import logging
import pickle
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, Protocol

from django.core.cache import BaseCache
from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django.core.cache.backends.locmem import LocMemCache

from triggers.errors import CallError, TryAgain
from triggers.storages.cache_locks import DJANGO_REDIS, REDIS_OF_DJANGO, kinds_of, redis_client
from triggers.storages.lock_errors import NotSupported

log = logging.getLogger(__name__)

_ATTEMPTS: Final = 3
_MARK_KEPT_S: Final = 30
_METHODS: Final = ("get", "set", "add")

_NO_LOCKS: Final = {
    "django.core.cache.backends.dummy.DummyCache": "keeps nothing",
    "django.core.cache.backends.memcached.BaseMemcachedCache": "evicts sessions and drops those above 1 MB",
    "django.core.cache.backends.filebased.FileBasedCache": "evicts sessions beyond MAX_ENTRIES",
    "django.core.cache.backends.db.DatabaseCache": "evicts sessions beyond MAX_ENTRIES",
}
_UNFIT_CLIENTS: Final = {
    "django_redis.client.herd.HerdClient": "says that an entry which is about to expire is absent",
    "django_redis.client.sharded.ShardClient": "keeps a session and its lock on different servers",
}


class CacheUncertain(TryAgain):
    """The cache gave no answer that tells whether it has the session."""


class CheckedCache(Protocol):
    """A cache whose answers can be relied upon. Both methods raise what the cache's own library raises."""

    def read(self, key: str) -> Any:  # noqa: ANN401  # whatever was written
        """The value; None: the cache has none, and that is certain. Raises CacheUncertain."""

    def write(self, key: str, value: object, timeout: float | None) -> None:
        """Keep the value; the caller holds the session's lock. Raises CacheUncertain."""


def checked_cache(cache: BaseCache) -> CheckedCache:
    """The cache, asked in the way in which its answers can be relied upon. Nothing is asked yet.

    Raises NotSupported for a cache that loses sessions, by its nature or by its settings.
    """
    for kind in _NO_LOCKS.keys() & kinds_of(cache):
        detail = f"{type(cache).__name__} has no locks and {_NO_LOCKS[kind]}"
        raise NotSupported(f"{detail}; use a Redis cache, or locmem in a single process (docs/storages.md)")
    if LocMemCache in type(cache).__mro__:
        return _Memory(cache) if type(cache) is LocMemCache else _Verified(cache)
    if REDIS_OF_DJANGO in kinds_of(cache):
        return _redis_of_django(cache)
    if DJANGO_REDIS in kinds_of(cache):
        return _django_redis(cache)
    return _Verified(cache)


def check_timeout(timeout: float | None, cache: BaseCache) -> None:
    """Raise CallError for a time after which the cache would keep nothing."""
    if timeout is DEFAULT_TIMEOUT:
        if cache.default_timeout is not None and cache.default_timeout < 1:
            detail = f"TIMEOUT={cache.default_timeout!r} of the cache keeps no session"
            raise CallError(f"{detail}; set it to seconds, or to None for ever")
    elif timeout is not None and timeout < 1:
        raise CallError(f"timeout={timeout!r} keeps no session; give 1 second or more, or None for ever")


def _redis_of_django(cache: Any) -> CheckedCache:  # noqa: ANN401  # redis is optional
    if len(cache._servers) > 1:  # noqa: SLF001  # Django tells it nowhere else
        detail = "LOCATION names replicas, which are read and may be behind the primary"
        raise NotSupported(f"{type(cache).__name__} is not safe for sessions: {detail}; name the primary only")
    client = "django.core.cache.backends.redis.RedisCacheClient"
    as_made = _inherits(type(cache), REDIS_OF_DJANGO) and _inherits(cache._class, client)  # noqa: SLF001  # as above
    return _Plain(cache) if as_made else _Verified(cache)


def _django_redis(cache: Any) -> CheckedCache:  # noqa: ANN401  # django-redis is optional
    client = cache.client
    for kind in _UNFIT_CLIENTS.keys() & kinds_of(client):
        detail = f"CLIENT_CLASS {type(client).__name__} {_UNFIT_CLIENTS[kind]}"
        raise NotSupported(f"{type(cache).__name__} is not safe for sessions: {detail}; use DefaultClient")
    as_made = _inherits(type(cache), DJANGO_REDIS) and _inherits(
        type(client), "django_redis.client.default.DefaultClient"
    )
    return _Primary(cache) if as_made else _Verified(cache)


def _inherits(kind: type, made: str) -> bool:
    """Whether the class reads and writes as the one of that name does: an override may hide errors."""
    library = next((each for each in kind.__mro__ if f"{each.__module__}.{each.__name__}" == made), None)
    return library is not None and all(getattr(kind, name) is getattr(library, name) for name in _METHODS)


class _Plain:
    """Django's cache on one Redis: it raises whatever goes wrong, and an absent value is one."""

    def __init__(self, cache: Any) -> None:  # noqa: ANN401  # redis is optional
        self._cache = cache

    def read(self, key: str) -> Any:  # noqa: ANN401  # as in `CheckedCache`
        return self._cache.get(key)

    def write(self, key: str, value: object, timeout: float | None) -> None:
        self._cache.set(key, value, timeout)
        _warn_of_eviction(self._cache, self._cache._servers[0])  # noqa: SLF001  # as above


class _Primary:
    """django-redis. Its client raises what the cache hides with IGNORE_EXCEPTIONS; replicas are not asked."""

    def __init__(self, cache: Any) -> None:  # noqa: ANN401  # django-redis is optional
        self._cache = cache
        self._client = cache.client

    def read(self, key: str) -> Any:  # noqa: ANN401  # as in `CheckedCache`
        with _own_errors():
            return self._client.get(key, client=self._client.get_client(write=True))

    def write(self, key: str, value: object, timeout: float | None) -> None:
        with _own_errors():
            if not self._client.set(key, value, timeout, client=self._client.get_client(write=True)):
                raise CacheUncertain(f"the Redis server did not take {key!r}")
        _warn_of_eviction(self._cache, str(self._client._server[0]))  # noqa: SLF001  # django-redis tells it nowhere else


@contextmanager
def _own_errors() -> Iterator[None]:
    """What django-redis raises when it ignores nothing: the errors of redis-py."""
    from django_redis.exceptions import ConnectionInterrupted  # noqa: PLC0415  # it is there: it made the client

    try:
        yield
    except ConnectionInterrupted as error:
        raise error.__cause__ or error from None


_asked: set[str] = set()


def _warn_of_eviction(cache: BaseCache, server: str) -> None:
    """Once per server and process: whether it removes sessions when its memory is full."""
    from redis.exceptions import RedisError  # noqa: PLC0415  # it is there: the session was written with it

    if server in _asked:
        return
    _asked.add(server)
    try:
        memory = redis_client(cache).info("memory")
    except RedisError:  # some servers let nobody ask
        return
    policy = memory.get("maxmemory_policy", "noeviction")
    if memory.get("maxmemory") and policy != "noeviction":
        log.warning(
            "the Redis server evicts sessions when its memory is full: set maxmemory-policy noeviction, it is %s",
            policy,
        )


class _Memory:
    """Django's cache in memory. It loses no answer, and here it evicts no session for another one when it is full."""

    def __init__(self, cache: Any) -> None:  # noqa: ANN401  # what is needed is no public part of it
        self._cache = cache

    def read(self, key: str) -> Any:  # noqa: ANN401  # as in `CheckedCache`
        return self._cache.get(key)

    def write(self, key: str, value: object, timeout: float | None) -> None:
        """As `LocMemCache.set`, without its culling."""
        name = self._cache.make_and_validate_key(key)
        pickled = pickle.dumps(value, self._cache.pickle_protocol)
        with self._cache._lock:  # noqa: SLF001  # to set and to cull are one step there
            if name not in self._cache._cache:  # noqa: SLF001
                _make_room(self._cache)
            else:
                self._cache._delete(name)  # noqa: SLF001
            self._cache._set(name, pickled, timeout)  # noqa: SLF001


def _make_room(cache: Any) -> None:  # noqa: ANN401  # as above
    """Remove what has expired. A cache that is full all the same grows beyond its limit, and says so once."""
    if len(cache._cache) < cache._max_entries:  # noqa: SLF001  # as above
        return
    for name in [each for each in cache._cache if cache._has_expired(each)]:  # noqa: SLF001
        cache._delete(name)  # noqa: SLF001
    if len(cache._cache) >= cache._max_entries:  # noqa: SLF001
        log.warning(
            "the memory cache is full (MAX_ENTRIES=%d) and keeps every session all the same, but other entries of the"
            " application evict them: set a larger OPTIONS['MAX_ENTRIES'] in CACHES, or keep sessions in Redis",
            cache._max_entries,  # noqa: SLF001
        )
        cache._max_entries = sys.maxsize  # noqa: SLF001  # of this object; those of other threads keep theirs


class _Verified:
    """A cache that we do not know: what it says is compared with what it says then.

    Absent is what can be added: only the server knows that, a lost answer looks like an entry that is there already.
    """

    def __init__(self, cache: BaseCache) -> None:
        self._cache = cache

    def read(self, key: str) -> Any:  # noqa: ANN401  # as in `CheckedCache`
        for _ in range(_ATTEMPTS):
            if (value := self._cache.get(key)) is not None:
                return value  # the empty mark below, too: another process has proved it then
            self._cache.add(key, {}, _MARK_KEPT_S)
        raise CacheUncertain(f"the cache {type(self._cache).__name__} does not say whether it has {key!r}")

    def write(self, key: str, value: object, timeout: float | None) -> None:
        for _ in range(_ATTEMPTS):
            self._cache.set(key, value, timeout)
            if self._cache.get(key) == value:
                return
        raise CacheUncertain(f"the cache {type(self._cache).__name__} does not show {key!r} as it was written")
