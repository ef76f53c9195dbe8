"""Locks that every process of a Django cache sees: Redis keeps them; a memory cache has one process only.

`redis.lock.Lock`, redis-py's own, is used where the Triggers framework used python-redis-lock: it is released only by
its owner (a token, compared by a script on the server), ends by itself, and is maintained with the client.
"""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any, Final

from triggers.storages.lock_errors import LockAcquisitionFailed, NotSupported

try:
    from django.core.cache import DEFAULT_CACHE_ALIAS, BaseCache, InvalidCacheBackendError, caches
    from django.core.cache.backends.locmem import LocMemCache
except ImportError as error:  # pragma: no cover  # the message is tested in a process of its own
    raise ImportError("Django's cache needs Django: pip install 'kafka-triggers[django]'") from error

log = logging.getLogger(__name__)

_DEFAULT_TTL_S: Final = 300
"""Of a cache whose entries do not expire: a lock whose holder died must."""
_POLL_S: Final = 0.005
REDIS_OF_DJANGO: Final = "django.core.cache.backends.redis.RedisCache"
DJANGO_REDIS: Final = "django_redis.cache.RedisCache"

_local: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)


def resolve_cache(backend: str | BaseCache) -> BaseCache:
    """The cache of that name in Django's settings, or the cache itself.

    Raises ImportError that names the extra, for a Redis cache whose library is not installed.
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
    ttl: bool | float | None = True,  # known to callers by place
    cache: str | BaseCache = DEFAULT_CACHE_ALIAS,
    block: bool = True,
) -> Iterator[Callable[[], bool]]:
    """Hold a lock during a `with` block; its value tells whether it is held still.

    `ttl`: seconds after which it is released whatever happens; True: the cache's default; None: never; False: there is
    no lock at all. Raises LockAcquisitionFailed, with `block=False` at once; NotSupported for a cache without locks.
    """
    lock = _lock(resolve_cache(cache), key, ttl)
    if ttl is False:
        yield lambda: True
        return
    if not lock.acquire(blocking=block):
        raise LockAcquisitionFailed(f"somebody else holds the lock {key!r} (ttl={ttl!r}, block={block!r})")
    try:
        yield lock.owned
    finally:
        lock.release()


class _LocalLock:
    """What `redis.lock.Lock` does, among the threads of this process."""

    def __init__(self, lock: threading.Lock) -> None:
        self._lock = lock

    def acquire(self, *, blocking: bool) -> bool:
        return self._lock.acquire(blocking=blocking)

    def owned(self) -> bool:
        return True

    def release(self) -> None:
        self._lock.release()


class _RedisLock:
    """Redis-py's lock. That it has ended meanwhile is no error when nothing more was to be written."""

    def __init__(self, lock: Any) -> None:  # noqa: ANN401  # redis is optional
        self._lock = lock

    def acquire(self, *, blocking: bool) -> bool:
        return bool(self._lock.acquire(blocking=blocking))

    def owned(self) -> bool:
        return bool(self._lock.owned())

    def release(self) -> None:
        from redis.exceptions import LockNotOwnedError  # noqa: PLC0415  # it is there: it made the lock

        try:
            self._lock.release()
        except LockNotOwnedError:
            log.warning("the lock %s was held for longer than its time", self._lock.name)


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


def redis_client(cache: BaseCache) -> Any:  # noqa: ANN401  # redis is optional
    """A client of the primary server behind the cache; None: there is no Redis."""
    kinds = kinds_of(cache)
    if REDIS_OF_DJANGO in kinds:
        return cache._cache.get_client(None, write=True)  # noqa: SLF001  # its only way to the client
    if DJANGO_REDIS in kinds:
        return cache.client.get_client(write=True)
    return None


def kinds_of(cache: object) -> set[str]:
    """Names of the classes that it inherits from: their libraries are optional."""
    return {f"{kind.__module__}.{kind.__name__}" for kind in type(cache).__mro__}
