"""Reads and writes sessions in a Django cache, and checks that the cache did not hide an error.

A Django cache may return None if a read fails, and may ignore a failed write. A session that is wrongly read as absent
would be saved empty, and its rules and events would be lost. So here, a value is absent only if the server says so, and
written only if the server confirms it.
"""

from __future__ import annotations

import logging
import pickle
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Protocol

from django.core.cache import BaseCache
from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django.core.cache.backends.locmem import LocMemCache

from triggers.errors import CallError, NotSupported, TryAgain
from triggers.storages.cache_locks import DJANGO_REDIS, REDIS_OF_DJANGO, kinds_of, redis_client

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
    """The cache did not answer whether it has the session, or did not confirm a write."""


class CheckedCache(Protocol):
    """A cache with reliable answers. Both methods also raise the errors of the cache's library."""

    def read(self, key: str) -> object:
        """Returns the value, or None if the server says that there is none. Raises CacheUncertain."""

    def write(self, key: str, value: object, timeout: float | None) -> None:
        """Writes the value, which expires after `timeout` seconds. The caller must hold the session's lock.

        Raises CacheUncertain if the write is not confirmed.
        """


def checked_cache(cache: BaseCache) -> CheckedCache:
    """Returns a reliable way to read and write the cache. Does not connect to it yet.

    Raises NotSupported for a cache that loses sessions, because of its kind or its settings.
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
    """Raises CallError for a timeout of less than a second, with which the cache would not keep the session."""
    if timeout is DEFAULT_TIMEOUT:
        if cache.default_timeout is not None and cache.default_timeout < 1:
            detail = f"TIMEOUT={cache.default_timeout!r} of the cache keeps no session"
            raise CallError(f"{detail}; set it to seconds, or to None for no limit")
    elif timeout is not None and timeout < 1:
        raise CallError(f"timeout={timeout!r} keeps no session; give 1 second or more, or None for no limit")


def _redis_of_django(cache: BaseCache) -> CheckedCache:
    if len(cache._servers) > 1:
        detail = "LOCATION names replicas, which are read and may be behind the primary"
        raise NotSupported(f"{type(cache).__name__} is not safe for sessions: {detail}; name the primary only")
    client = "django.core.cache.backends.redis.RedisCacheClient"
    is_unchanged = _inherits(type(cache), REDIS_OF_DJANGO) and _inherits(cache._class, client)
    return _Plain(cache) if is_unchanged else _Verified(cache)


def _django_redis(cache: BaseCache) -> CheckedCache:
    client = cache.client
    for kind in _UNFIT_CLIENTS.keys() & kinds_of(client):
        detail = f"CLIENT_CLASS {type(client).__name__} {_UNFIT_CLIENTS[kind]}"
        raise NotSupported(f"{type(cache).__name__} is not safe for sessions: {detail}; use DefaultClient")
    is_unchanged = _inherits(type(cache), DJANGO_REDIS) and _inherits(
        type(client), "django_redis.client.default.DefaultClient"
    )
    return _Primary(cache) if is_unchanged else _Verified(cache)


def _inherits(kind: type, library_class: str) -> bool:
    """Returns whether the class inherits its reads and writes from the named class. An override may hide errors."""
    library = next((each for each in kind.__mro__ if f"{each.__module__}.{each.__name__}" == library_class), None)
    return library is not None and all(getattr(kind, name) is getattr(library, name) for name in _METHODS)


class _Plain:
    """Django's cache on one Redis server. It raises all errors, so None means that the value is absent."""

    def __init__(self, cache: BaseCache) -> None:
        self._cache = cache

    def read(self, key: str) -> object:
        return self._cache.get(key)

    def write(self, key: str, value: object, timeout: float | None) -> None:
        self._cache.set(key, value, timeout)
        _warn_of_eviction(self._cache, self._cache._servers[0])


class _Primary:
    """django-redis. Its client raises the errors that IGNORE_EXCEPTIONS hides; only the primary is read."""

    def __init__(self, cache: BaseCache) -> None:
        self._cache = cache
        self._client = cache.client

    def read(self, key: str) -> object:
        with _raising_redis_errors():
            return self._client.get(key, client=self._client.get_client(write=True))

    def write(self, key: str, value: object, timeout: float | None) -> None:
        with _raising_redis_errors():
            if not self._client.set(key, value, timeout, client=self._client.get_client(write=True)):
                raise CacheUncertain(f"the Redis server did not write {key!r}")
        _warn_of_eviction(self._cache, str(self._client._server[0]))


@contextmanager
def _raising_redis_errors() -> Iterator[None]:
    """Raises the errors of redis-py instead of the exception in which django-redis wraps them."""
    from django_redis.exceptions import ConnectionInterrupted

    try:
        yield
    except ConnectionInterrupted as error:
        raise error.__cause__ or error from None


_warned: set[str] = set()


def _warn_of_eviction(cache: BaseCache, server: str) -> None:
    """Logs a warning if the server evicts sessions when its memory is full. Asks each server once per process."""
    from redis.exceptions import RedisError

    if server in _warned or (client := redis_client(cache)) is None:
        return
    _warned.add(server)
    try:
        memory = client.info("memory")
    except RedisError:  # some servers do not allow INFO
        return
    policy = memory.get("maxmemory_policy", "noeviction")
    if memory.get("maxmemory") and policy != "noeviction":
        log.warning(
            "the Redis server evicts sessions when its memory is full: maxmemory-policy is %s, set it to noeviction",
            policy,
        )


class _Memory:
    """Django's cache in memory. Its answers are reliable; a session is never evicted for another one."""

    def __init__(self, cache: BaseCache) -> None:
        self._cache = cache

    def read(self, key: str) -> object:
        return self._cache.get(key)

    def write(self, key: str, value: object, timeout: float | None) -> None:
        """Does what `LocMemCache.set` does, but raises CallError instead of evicting entries."""
        name = self._cache.make_and_validate_key(key)
        pickled = pickle.dumps(value, self._cache.pickle_protocol)
        with self._cache._lock:  # not `LocMemCache.set`, which always evicts
            if name not in self._cache._cache:
                _make_room(self._cache)
            else:
                self._cache._delete(name)
            self._cache._set(name, pickled, timeout)


def _make_room(cache: LocMemCache) -> None:
    """Removes expired entries if the cache is full. If it is still full, lifts its limit and logs a warning."""
    if len(cache._cache) < cache._max_entries:
        return
    for name in [each for each in cache._cache if cache._has_expired(each)]:
        cache._delete(name)
    if len(cache._cache) >= cache._max_entries:
        log.warning(
            "the memory cache is full (MAX_ENTRIES=%d) and keeps every session all the same, but other entries of the"
            " application evict them: set a larger OPTIONS['MAX_ENTRIES'] in CACHES, or keep sessions in Redis",
            cache._max_entries,
        )
        cache._max_entries = sys.maxsize  # only of this object; the cache objects of other threads keep theirs


class _Verified:
    """A cache of an unknown class, which may hide errors. It is asked twice.

    A value is absent if an empty entry can be added in its place. If the answer to `add` is lost, it looks as if the
    entry existed already, so an error is never read as an absent value.
    """

    def __init__(self, cache: BaseCache) -> None:
        self._cache = cache

    def read(self, key: str) -> object:
        for _ in range(_ATTEMPTS):
            if (value := self._cache.get(key)) is not None:
                return value  # possibly the empty entry below, with which this or another process proved absence
            self._cache.add(key, {}, _MARK_KEPT_S)
        raise CacheUncertain(f"the cache {type(self._cache).__name__} does not say whether it has {key!r}")

    def write(self, key: str, value: object, timeout: float | None) -> None:
        for _ in range(_ATTEMPTS):
            self._cache.set(key, value, timeout)
            if self._cache.get(key) == value:
                return
        raise CacheUncertain(f"the cache {type(self._cache).__name__} does not return {key!r} as it was written")
