"""Our own storages and runners pass the suites that `triggers.testing` offers."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from triggers import CacheStorageBackend, MemoryStorageBackend
from triggers.runners import ThreadingTaskRunner
from triggers.storages.base import BaseStorageBackend
from triggers.testing import RunnerSuite, StorageSuite


class TestMemory(StorageSuite):
    def make_storage(self, uid: str) -> BaseStorageBackend:
        return MemoryStorageBackend(uid)


@pytest.mark.usefixtures("django")
class TestCache(StorageSuite):
    def make_storage(self, uid: str) -> BaseStorageBackend:
        return CacheStorageBackend(uid)


class TestThreading(RunnerSuite):
    runner_name = "threading"

    def make_storage(self, uid: str) -> BaseStorageBackend:
        return MemoryStorageBackend(uid)

    def wait(self, is_done: Callable[[], bool]) -> None:
        ThreadingTaskRunner.join_all()
        assert is_done()
