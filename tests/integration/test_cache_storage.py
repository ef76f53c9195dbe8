"""Sessions in Django's cache on a real Redis, with real processes and a real Celery worker."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from uuid import uuid4

import pytest
from tests.support.histories import CURATED, DATA, RANDOM, assert_reproduced, sampling_step
from tests.support.redis_server import RedisServer
from tests.support.session_hammer import PAGES, assert_no_update_is_lost
from tests.support.storage_driver import StorageDriver
from tests.support.topic_reader import wait_until

from triggers import CacheStorageBackend, TriggerManager
from triggers.analysis.input_file import InputFile
from triggers.analysis.verify.histories import verify_files
from triggers.locking import LockAcquisitionFailed
from triggers.types import TaskInstance

ROOT = Path(__file__).parents[2]
BACKENDS = {
    "django": ("django.core.cache.backends.redis", "RedisCache"),
    "django_redis": ("django_redis.cache", "RedisCache"),
}


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = RedisServer(tmp_path_factory.mktemp("redis"), durable=False)
    server.start()
    yield server.url
    server.kill()


@pytest.fixture(params=BACKENDS)
def cache(request: pytest.FixtureRequest, redis_url: str, django: None) -> Iterator[object]:  # noqa: ARG001  # must be set up first
    module, name = BACKENDS[request.param]
    made = getattr(import_module(module), name)(redis_url, {})
    yield made
    made.close()


def environment(redis_url: str, **more: str) -> dict[str, str]:
    ours = {"DJANGO_SETTINGS_MODULE": "tests.support.django_settings", "TEST_REDIS_URL": redis_url}
    return os.environ | ours | {"PYTHONPATH": str(ROOT)} | more


def test_processes_that_hammer_one_session_lose_no_update(
    cache: object, redis_url: str, request: pytest.FixtureRequest
) -> None:
    env = environment(redis_url, TEST_CACHE=request.node.callspec.params["cache"])

    assert_no_update_is_lost(
        "tests.support.cache_of_environment", CacheStorageBackend(uuid4().hex, cache), 20, env, ROOT
    )


@pytest.mark.parametrize("file", [CURATED, RANDOM])
def test_recorded_histories_are_reproduced_through_redis(
    cache: object, file: str, request: pytest.FixtureRequest
) -> None:
    name, prefix = f"redis-{request.node.callspec.params['cache']}", uuid4().hex

    results = verify_files(
        [InputFile(DATA / file)],
        lambda: StorageDriver(lambda uid: CacheStorageBackend(prefix + uid, cache)),
        every=sampling_step(name, file),
    )

    assert_reproduced(name, file, results)


def test_a_lock_that_another_process_holds_can_be_refused_at_once(cache: object) -> None:
    holder, other = CacheStorageBackend("locked", cache), CacheStorageBackend("locked", cache)

    with holder.acquire_lock(), pytest.raises(LockAcquisitionFailed), other.acquire_lock(block=False):
        pass

    with other.acquire_lock(block=False):
        assert other.has_lock


def test_a_holder_whose_lock_has_expired_does_not_overwrite(cache: object) -> None:
    late, other = CacheStorageBackend("slow", cache), CacheStorageBackend("slow", cache)

    with late.acquire_lock(ttl=0.05):
        late.update_configuration(PAGES)
        with other.acquire_lock():
            other.update_configuration({"t_other": {"after": ["a"], "run": "app.Other"}})
            other.save()
        with pytest.raises(LockAcquisitionFailed, match="expired while it was held"):
            late.save()

    assert list(CacheStorageBackend("slow", cache).tasks) == ["t_other"]


def test_a_session_without_a_timeout_does_not_expire(cache: object, redis_url: str) -> None:
    for uid, timeout in (("kept", None), ("hour", 3600)):
        TriggerManager(CacheStorageBackend(uid, cache, timeout)).update_configuration(PAGES)

    client = import_module("redis").Redis.from_url(redis_url)
    seconds = {key.decode().rsplit(":", 1)[1]: client.ttl(key) for key in client.keys("*triggers.storages.cache:*")}
    client.close()

    assert seconds["kept"] == -1
    assert 3500 < seconds["hour"] <= 3600


@pytest.mark.usefixtures("django")
@pytest.mark.parametrize(("embedded", "alias"), [(False, "django"), (True, "django_redis")])
def test_the_guide_works_as_printed_with_a_celery_worker(redis_url: str, embedded: bool, alias: str) -> None:
    queue, uid = uuid4().hex, uuid4().hex
    env = environment(redis_url, TEST_QUEUE=queue, TEST_CACHE=alias)
    worker = subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "tests.support.guide_app", "worker", "-c", "2", "-l", "warning"],
        env=env,
        cwd=ROOT,
    )
    try:
        visit = [sys.executable, "-m", "tests.support.guide_visit", uid, *(["embedded"] if embedded else [])]
        subprocess.run(visit, env=env, cwd=ROOT, check=True, timeout=120)
        module, name = BACKENDS[alias]
        cache = getattr(import_module(module), name)(redis_url, {})
        expected = {
            "t_importSubject#0": "finished",
            "t_importResponses#0": "finished",
            "t_importResponses#1": "finished",
        }
        browser = {"t_importBrowserMetadata#0": "abandoned"}
        if not embedded:
            browser = {"t_importBrowserMetadata#0": "replayed", "t_importBrowserMetadata#1": "finished"}
        wait_until(lambda: statuses(uid, cache) == expected | browser, "the tasks have run")
    finally:
        worker.terminate()
        worker.wait(120)

    storage = CacheStorageBackend(uid, cache)
    assert storage["t_importResponses#1"].metadata["result"] == {"page": 2, "subject": 6}
    assert storage["t_importResponses#1"].log_level_name == "WARNING"
    assert ("browserKnown" in storage.latest_kwargs) is not embedded
    if not embedded:
        waited(storage["t_importBrowserMetadata#1"])
    cache.close()


def statuses(uid: str, cache: object) -> dict[str, str]:
    return {instance.name: instance.status for instance in CacheStorageBackend(uid, cache)}


def waited(instance: TaskInstance) -> None:
    """Returns whether the attempt started a cooldown after it was scheduled."""
    stamps = instance.metadata["timestamps"]
    assert (stamps["running"] - stamps["scheduled"]).total_seconds() >= 1
