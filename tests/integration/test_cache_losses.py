"""A Redis cache loses requests and answers: a call raises, or its changes are in the session."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from django.core.cache.backends.redis import RedisCache
from django_redis.cache import RedisCache as DjangoRedisCache
from redis import Redis
from redis.exceptions import RedisError
from tests.support.lossy_relay import Loss, LossyRelay
from tests.support.redis_server import RedisServer

from triggers import CacheStorageBackend, TriggerManager
from triggers.errors import SessionNotFound, TryAgain
from triggers.locking import NotSupported

pytestmark = pytest.mark.usefixtures("django")

RULES = {"t_close": {"after": ["opened", "paid"], "run": "shop.close"}}
DJANGO_OPTIONS = {"socket_timeout": 0.2, "retry": None}
DJANGO_REDIS_OPTIONS = {"SOCKET_TIMEOUT": 0.2, "CONNECTION_POOL_KWARGS": {"retry": None}}


class QuietRedisCache(RedisCache):  # type: ignore[misc]  # Django is untyped
    """A cache as applications write it, which hides errors so that they do not break a page."""

    def get(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401  # as in Django
        try:
            return super().get(*args, **options)
        except RedisError:
            return None

    def set(self, *args: Any, **options: Any) -> None:
        with suppress(RedisError):
            super().set(*args, **options)

    def add(self, *args: Any, **options: Any) -> bool:
        try:
            return bool(super().add(*args, **options))
        except RedisError:
            return False


CACHES = {
    "django": (RedisCache, DJANGO_OPTIONS),
    "quiet": (QuietRedisCache, DJANGO_OPTIONS),
    "django_redis": (DjangoRedisCache, DJANGO_REDIS_OPTIONS),
    "django_redis_ignoring": (DjangoRedisCache, DJANGO_REDIS_OPTIONS | {"IGNORE_EXCEPTIONS": True}),
}
RAISED = (TryAgain, RedisError)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("redis"), durable=False)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def relay(server: RedisServer) -> Iterator[LossyRelay]:
    relay = LossyRelay(urlsplit(server.url).port or 0)
    yield relay
    relay.close()


@pytest.fixture(params=CACHES)
def cache(request: pytest.FixtureRequest, relay: LossyRelay, django: None) -> Iterator[Any]:  # noqa: ARG001  # must be set up first
    kind, options = CACHES[request.param]
    made = kind(relay.url, {"OPTIONS": options, "TIMEOUT": None})
    yield made
    made.close()


def fire(cache: object, uid: str, trigger: str) -> bool:
    """Fires a trigger and returns whether the call succeeded."""
    try:
        TriggerManager(CacheStorageBackend(uid, cache)).fire(trigger, {"n": 1})
    except RAISED:
        return False
    return True


@pytest.mark.parametrize("loss", ["request", "answer"])
@pytest.mark.parametrize("command", ["GET", "SET"])
def test_a_lost_request_or_answer_makes_the_call_fail_and_empties_no_session(
    cache: object,
    relay: LossyRelay,
    command: str,
    loss: Loss,
) -> None:
    uid = uuid4().hex
    TriggerManager(CacheStorageBackend(uid, cache)).update_configuration(RULES)
    assert fire(cache, uid, "opened")

    relay.lose(command, loss)
    returned = fire(cache, uid, "paid")
    relay.lose_nothing()
    after = CacheStorageBackend(uid, cache)

    assert relay.lost
    assert not returned or "paid" in after.latest_kwargs
    assert list(after.tasks) == ["t_close"]
    assert "opened" in after.latest_kwargs
    assert fire(cache, uid, "paid")
    assert sorted(CacheStorageBackend(uid, cache).latest_kwargs) == ["opened", "paid"]


def test_a_read_does_not_take_a_lost_answer_for_an_absent_session(cache: object, relay: LossyRelay) -> None:
    uid = uuid4().hex
    TriggerManager(CacheStorageBackend(uid, cache)).update_configuration(RULES)

    relay.lose("GET", "request")
    with pytest.raises(RAISED):
        CacheStorageBackend(uid, cache).read()


def test_a_new_session_is_created_and_an_absent_one_stays_absent(cache: object) -> None:
    uid = uuid4().hex
    absent = CacheStorageBackend(uid, cache)

    with pytest.raises(SessionNotFound):
        absent.read()
    assert fire(cache, uid, "opened")
    assert list(CacheStorageBackend(uid, cache).latest_kwargs) == ["opened"]


def test_a_replica_that_is_behind_is_not_read(server: RedisServer, tmp_path: Path) -> None:
    """The second server stays empty, as the most stale replica possible."""
    replica = RedisServer(tmp_path / "replica", durable=False)
    replica.start()
    try:
        cache = DjangoRedisCache([server.url, replica.url], {})
        uid = uuid4().hex
        TriggerManager(CacheStorageBackend(uid, cache)).update_configuration(RULES)
        assert fire(cache, uid, "opened")
        assert fire(cache, uid, "paid")

        assert cache.get(CacheStorageBackend(uid, cache).cache_key) is None, "the cache itself reads the replica"
        assert sorted(CacheStorageBackend(uid, cache).latest_kwargs) == ["opened", "paid"]
        with pytest.raises(NotSupported, match="LOCATION names replicas"):
            CacheStorageBackend(uid, RedisCache([server.url, replica.url], {}))
    finally:
        replica.kill()


@pytest.mark.parametrize("kind", ["HerdClient", "ShardClient"])
def test_a_client_that_is_not_safe_for_sessions_is_refused_and_named(server: RedisServer, kind: str) -> None:
    cache = DjangoRedisCache(server.url, {"OPTIONS": {"CLIENT_CLASS": f"django_redis.client.{kind}"}})

    with pytest.raises(NotSupported, match=f"CLIENT_CLASS {kind}"):
        CacheStorageBackend("s", cache)


@pytest.mark.parametrize(("policy", "warnings"), [("allkeys-lru", 1), ("noeviction", 0)])
def test_a_server_that_may_evict_sessions_is_reported_once(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    policy: str,
    warnings: int,
) -> None:
    server = RedisServer(tmp_path / "redis", durable=False)
    server.start()
    try:
        client = Redis.from_url(server.url)
        client.config_set("maxmemory", "100mb")
        client.config_set("maxmemory-policy", policy)
        cache = RedisCache(server.url, {})
        for uid in ("a", "b"):
            assert fire(cache, uid, "opened")
    finally:
        server.kill()

    assert sum("set it to noeviction" in each.getMessage() for each in caplog.records) == warnings


@pytest.mark.parametrize("kind", ["django", "django_redis_ignoring"])
def test_a_fire_reads_and_writes_its_session_once(server: RedisServer, kind: str) -> None:
    made, options = CACHES[kind]
    cache, client = made(server.url, {"OPTIONS": options}), Redis.from_url(server.url)
    uid = uuid4().hex
    TriggerManager(CacheStorageBackend(uid, cache)).update_configuration(RULES)
    client.config_resetstat()

    for _ in range(10):
        assert fire(cache, uid, "opened")

    calls = {name: stats["calls"] for name, stats in client.info("commandstats").items()}
    assert calls["cmdstat_set"] == 10 + 10, "the session, and its lock"
    assert calls["cmdstat_get"] <= 10 + 3 * 10, "the session, and the lock's own script"
