"""The storage of the stream passes events to its publisher and reads from its source."""

from __future__ import annotations

import pytest
from tests.support.memory_stream import MemoryStream

from triggers.client import Coordinates
from triggers.core.events import TriggerFired
from triggers.errors import BrokerUnavailable, CallError, SessionNotFound
from triggers.settings import Settings
from triggers.storages.stream import StreamStorage

FIRED = TriggerFired(trigger="t")


@pytest.fixture
def log() -> MemoryStream:
    return MemoryStream(partition=2)


@pytest.fixture
def storage(log: MemoryStream) -> StreamStorage:
    return StreamStorage("s1", publisher=log, source=log)


def test_an_event_is_published_under_the_session(storage: StreamStorage, log: MemoryStream) -> None:
    storage.write(FIRED)

    assert log.published == [("s1", FIRED)]


def test_a_read_waits_for_the_last_write_of_the_same_storage(storage: StreamStorage, log: MemoryStream) -> None:
    with pytest.raises(SessionNotFound):
        storage.read()
    storage.write(FIRED)
    storage.write(FIRED)
    storage.read()
    storage.read(wait=False)

    assert log.reads == [("s1", None), ("s1", Coordinates(2, 1)), ("s1", None)]


def test_a_write_that_failed_is_not_waited_for(storage: StreamStorage, log: MemoryStream) -> None:
    log.is_down = True
    with pytest.raises(BrokerUnavailable):
        storage.write(FIRED)
    with pytest.raises(SessionNotFound):
        storage.read()

    assert log.reads == [("s1", None)]


def test_a_uid_that_no_worker_would_accept_is_refused_at_once(log: MemoryStream) -> None:
    with pytest.raises(CallError, match="session UID"):
        StreamStorage("", publisher=log, source=log)


def test_making_a_storage_connects_to_nothing() -> None:
    assert StreamStorage("s1", Settings(brokers="127.0.0.1:1")).uid == "s1"
