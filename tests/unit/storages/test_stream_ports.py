"""The stream in memory, and the publisher and source of a hook on it, do what those of Kafka do."""

from __future__ import annotations

import pytest
from tests.support.memory_stream import MemoryStream
from tests.support.stream_suite import Stream, StreamSuite

from triggers.codec import DecisionRecord
from triggers.hooks.runner import HookStorages
from triggers.settings import Settings


class TestStreamInMemory(StreamSuite):
    @pytest.fixture
    def stream(self) -> Stream:
        memory = MemoryStream()
        return Stream(memory, memory)


class TestStreamOfAHook(StreamSuite):
    @pytest.fixture
    def stream(self, uid: str) -> Stream:
        memory = MemoryStream()
        storages = HookStorages(Settings(), "hooks", memory, memory, lambda _: memory.next_offset - 1)
        decision = DecisionRecord(session=uid, partition=0, offset=-1, kind="fire", outcome="applied", time=0)
        storage = storages.storage_for(decision)
        return Stream(storage._publisher, storage._source)
