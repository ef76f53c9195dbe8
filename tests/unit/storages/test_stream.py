"""The storage of the stream passes events to its publisher and reads from its source."""

from __future__ import annotations

import pytest

from triggers.client import Coordinates
from triggers.core.events import Event, TriggerFired
from triggers.core.view import SessionView
from triggers.errors import BrokerUnavailable, CallError
from triggers.settings import Settings
from triggers.storages.stream import StreamStorage

FIRED = TriggerFired(trigger="t")


class Log:
    """A publisher and a source that record their calls."""

    def __init__(self) -> None:
        self.published: list[tuple[str, Event]] = []
        self.reads: list[tuple[str, Coordinates | None]] = []
        self.down = False

    def publish(self, uid: str, event: Event) -> Coordinates:
        if self.down:
            raise BrokerUnavailable
        self.published.append((uid, event))
        return Coordinates(2, len(self.published) - 1)

    def read(self, uid: str, after: Coordinates | None = None) -> SessionView:
        self.reads.append((uid, after))
        return SessionView(
            uid=uid,
            created=0,
            modified=0,
            events=0,
            tasks=[],
            instances=[],
            latest_kwargs={},
            unresolved_tasks=[],
            unresolved_instances=[],
        )


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def storage(log: Log) -> StreamStorage:
    return StreamStorage("s1", publisher=log, source=log)


def test_an_event_is_published_under_the_session(storage: StreamStorage, log: Log) -> None:
    storage.write(FIRED)

    assert log.published == [("s1", FIRED)]


def test_a_read_waits_for_the_last_write_of_the_same_storage(storage: StreamStorage, log: Log) -> None:
    storage.read()
    storage.write(FIRED)
    storage.write(FIRED)
    storage.read()
    storage.read(wait=False)

    assert log.reads == [("s1", None), ("s1", Coordinates(2, 1)), ("s1", None)]


def test_a_write_that_failed_is_not_waited_for(storage: StreamStorage, log: Log) -> None:
    log.down = True
    with pytest.raises(BrokerUnavailable):
        storage.write(FIRED)
    storage.read()

    assert log.reads == [("s1", None)]


def test_a_uid_that_no_worker_would_accept_is_refused_at_once(log: Log) -> None:
    with pytest.raises(CallError, match="session UID"):
        StreamStorage("", publisher=log, source=log)


def test_making_a_storage_connects_to_nothing() -> None:
    assert StreamStorage("s1", Settings(brokers="127.0.0.1:1")).uid == "s1"
