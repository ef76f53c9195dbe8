"""Locks in a Django cache: on the Redis server, or among the threads of the process for a memory cache.

The locks are those of redis-py (`redis.lock.Lock`); the Triggers framework used python-redis-lock. Such a lock can only
be released by its owner (a script on the server compares a token), it expires, and it is maintained with the client.
"""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final, cast

from triggers.errors import LockAcquisitionFailed, NotSupported

try:
    from django.core.cache import DEFAULT_CACHE_ALIAS, BaseCache, InvalidCacheBackendError, caches
    from django.core.cache.backends.locmem import LocMemCache
except ImportError as error:
    raise ImportError("Django's cache needs Django: pip install 'kafka-triggers[django]'") from error

if TYPE_CHECKING:
    from redis import Redis
    from redis.lock import Lock as RedisPyLock

log = logging.getLogger(__name__)

_DEFAULT_TTL_S: Final = 300
"""Expiry of a lock in a cache whose entries do not expire. A lock must expire, because its holder may die."""
_POLL_S: Final = 0.005
REDIS_OF_DJANGO: Final = "django.core.cache.backends.redis.RedisCache"
DJANGO_REDIS: Final = "django_redis.cache.RedisCache"

_local: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)


def resolve_cache(backend: str | BaseCache) -> BaseCache:
    """Returns the cache of that name in Django's settings, or the cache itself.

    Raises ImportError, which names the missing extra, if the library of a Redis cache is not installed.
    """
    if isinstance(backend, BaseCache):
        return backend
    missing = "the cache {!r} needs {}: pip install 'kafka-triggers[{}]'"
    try:
        cache = caches[backend]
    except InvalidCacheBackendError as error:
        if find_spec("django_redis") is None and "django_redis" in str(error):
            raise ImportError(missing.format(backend, "django-redis", "django-redis")) from error
        raise
    if REDIS_OF_DJANGO in kinds_of(cache) and find_spec("redis") is None:
        raise ImportError(missing.format(backend, "redis", "redis"))
    return cache


@contextmanager
def acquire_lock(
    key: str,
    ttl: bool | float | None = True,  # callers pass it by position
    cache: str | BaseCache = DEFAULT_CACHE_ALIAS,
    block: bool = True,
) -> Iterator[Callable[[], bool]]:
    """Holds a lock during a `with` block. Its value is a function that returns whether the lock is still held.

    `ttl` is the number of seconds after which the lock expires: True is the cache's default, None is never, and False
    acquires no lock. Blocks until the lock is free; with `block=False`, raises LockAcquisitionFailed instead. Raises
    NotSupported for a cache without locks.
    """
    lock = _lock(resolve_cache(cache), key, ttl)
    if ttl is False:
        yield lambda: True
        return
    if not lock.acquire(blocking=block):
        raise LockAcquisitionFailed(f"the lock {key!r} is held elsewhere (ttl={ttl!r}, block={block!r})")
    try:
        yield lock.owned
    finally:
        lock.release()


class _LocalLock:
    """A lock among the threads of this process, with the interface of `redis.lock.Lock`."""

    def __init__(self, lock: threading.Lock) -> None:
        self._lock = lock

    def acquire(self, *, blocking: bool) -> bool:
        return self._lock.acquire(blocking=blocking)

    def owned(self) -> bool:
        return True

    def release(self) -> None:
        self._lock.release()


class _RedisLock:
    """The lock of redis-py. Releasing an expired lock only logs a warning, because each save checks the lock."""

    def __init__(self, lock: RedisPyLock) -> None:
        self._lock = lock

    def acquire(self, *, blocking: bool) -> bool:
        return bool(self._lock.acquire(blocking=blocking))

    def owned(self) -> bool:
        return bool(self._lock.owned())

    def release(self) -> None:
        from redis.exceptions import LockNotOwnedError

        try:
            self._lock.release()
        except LockNotOwnedError:
            log.warning("the lock %s expired before it was released", self._lock.name)


def _lock(cache: BaseCache, key: str, ttl: bool | float | None) -> _LocalLock | _RedisLock:
    name = cache.make_key(key)
    if isinstance(cache, LocMemCache):
        return _LocalLock(_local[name])
    client = redis_client(cache)
    if client is None:
        raise NotSupported(f"{type(cache).__name__} has no locks; use a Redis cache, or locmem in a single process")
    return _RedisLock(client.lock(name, timeout=_seconds(cache, ttl), sleep=_POLL_S))


def _seconds(cache: BaseCache, ttl: bool | float | None) -> float | None:
    if ttl is True:
        return cache.default_timeout or _DEFAULT_TTL_S
    return ttl or None


def redis_client(cache: BaseCache) -> Redis | None:
    """Returns a client of the cache's primary Redis server, or None if the cache is not on Redis."""
    kinds = kinds_of(cache)
    if REDIS_OF_DJANGO in kinds:
        return cast("Redis", cache._cache.get_client(None, write=True))
    if DJANGO_REDIS in kinds:
        return cast("Redis", cache.client.get_client(write=True))
    return None


def kinds_of(cache: object) -> set[str]:
    """Returns the full names of an object's base classes, whose libraries may not be installed."""
    return {f"{kind.__module__}.{kind.__name__}" for kind in type(cache).__mro__}
