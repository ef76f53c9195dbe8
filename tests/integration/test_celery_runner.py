"""The suite for runners with the runner that most applications use, with real workers and a real Redis."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from celery import Celery, current_app
from django.core.cache import caches
from tests.support.redis_server import RedisServer
from tests.support.topic_reader import wait_until

from triggers import CacheStorageBackend
from triggers.testing import RunnerSuite

ROOT = Path(__file__).parents[2]
ALIAS = "django"


@pytest.fixture(scope="class")
def worker(tmp_path_factory: pytest.TempPathFactory, django: None) -> Iterator[None]:  # noqa: ARG001  # must be set up first
    """A Redis and a Celery worker, for which Celery and Django of this process are set up."""
    server, queue = RedisServer(tmp_path_factory.mktemp("redis"), durable=False), uuid4().hex
    server.start()
    variables = {
        "DJANGO_SETTINGS_MODULE": "tests.support.django_settings",
        "TEST_QUEUE": queue,
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-m", "celery", "-A", "tests.support.runner_app", "worker", "-c", "1", "-l", "error"]
    process = subprocess.Popen(command, env=os.environ | variables | {"TEST_REDIS_URL": server.url}, cwd=ROOT)
    before = current_app._get_current_object()
    Celery("suite", broker=server.url, task_default_queue=queue).set_current()
    caches.settings[ALIAS] = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": server.url}
    yield
    caches[ALIAS].close()
    del caches[ALIAS], caches.settings[ALIAS]
    before.set_current()
    process.terminate()
    process.wait(120)
    server.kill()


@pytest.mark.usefixtures("worker")
class TestCelery(RunnerSuite):
    runner_name = "celery"

    def make_storage(self, uid: str) -> CacheStorageBackend:
        return CacheStorageBackend(uid, ALIAS)

    def wait(self, is_done: Callable[[], bool]) -> None:
        wait_until(is_done, "a Celery worker has run it")
