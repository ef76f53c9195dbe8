"""Events that are read from a real Kafka fold to the session that the worker has."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from msgspec import structs
from tests.support.bad_header import send_bad_header
from tests.support.questionnaires import Application, interleaved, questionnaire
from tests.support.topic_reader import wait_until
from tests.support.topic_setup import create_topics
from tests.support.worker_process import WorkerProcess

from triggers.analysis.driver import MemoryDriver
from triggers.client import SessionReader
from triggers.client.consumer_lag import measure_lag
from triggers.client.session_events import SessionEvents
from triggers.client.session_reader import EventOffsets
from triggers.codec import encode_key
from triggers.core.events import Event
from triggers.core.view import SessionView
from triggers.errors import EventsExpired, SessionNotFound
from triggers.settings import Settings
from triggers.topology import Topology, partition_of

pytestmark = pytest.mark.broker


@pytest.fixture
def worker(settings: Settings) -> Iterator[WorkerProcess]:
    create_topics(settings)
    with WorkerProcess(settings, "w0") as worker:
        worker.wait_ready()
        yield worker


def published(settings: Settings, sessions: int = 20) -> list[str]:
    """Publishes sessions of a dozen events. One has a dead letter, another one an event on a wrong partition."""
    application = Application(settings)
    for uid, event in interleaved(sessions, pages=9):
        application.fire(uid, event)
    application.fire("s1", {"type": "finished", "instance": "t_importSubject#7"})
    wrong = (partition_of(b"s2", settings.partitions) + 1) % settings.partitions
    application.fire("s2", {"trigger": "isEmbeddedApplication"}, partition=wrong)
    application.flush()
    wait_until(
        lambda: all(row.records == 0 for row in measure_lag(settings) if "agents" in row.group), "all is applied"
    )
    return [f"s{n}" for n in range(sessions)]


def folded(uid: str, events: list[Event]) -> SessionView:
    driver = MemoryDriver()
    for event in events:
        driver.apply(uid, event)
    return driver.view(uid)


@pytest.mark.usefixtures("worker")
def test_a_sessions_events_fold_to_what_its_worker_shows(settings: Settings) -> None:
    uids = published(settings)
    reader, source = SessionReader(settings), SessionEvents(settings)

    by_index = {uid: source.read_session(uid) for uid in uids}
    at_once = source.read_sessions([*uids, "s3"])
    by_scan = source.scan_partitions(uids)
    everything: dict[str, list[Event]] = {}
    for uid, event in source.read_all():
        everything.setdefault(uid, []).append(event)

    assert {uid: folded(uid, events) for uid, events in by_index.items()} == {uid: reader.read(uid) for uid in uids}
    assert at_once == by_index
    assert by_scan == by_index
    assert everything == by_index
    assert len(by_index["s2"]) == len(by_index["s3"]) + 1


def test_without_a_worker_the_partition_is_read(settings: Settings) -> None:
    create_topics(settings)
    application = Application(settings)
    for event in questionnaire(pages=3):
        application.fire("s1", event)
    application.fire("s2", {"trigger": "pageReceived"})
    application.flush()
    source = SessionEvents(structs.replace(settings, read_timeout_s=0.2))

    assert folded("s1", source.read_session("s1")).events == 7
    assert [len(events) for events in source.read_sessions(["s2", "s1"]).values()] == [1, 7]
    with pytest.raises(SessionNotFound, match="s3"):
        source.read_session("s3")


def test_a_scan_leaves_out_an_event_with_a_header_whose_name_is_not_utf8(settings: Settings) -> None:
    create_topics(settings)
    partition = partition_of(b"s1", settings.partitions)
    send_bad_header(settings, Topology(settings.namespace).events, "s1", '{"trigger": "bad"}', partition)
    application = Application(settings)
    application.fire("s1", {"trigger": "good"})
    application.flush()
    source = SessionEvents(settings)

    assert [event.position for event in source.scan_partitions(["s1"])["s1"]] == [1]
    assert [(uid, event.position) for uid, event in source.read_all()] == [("s1", 1)]


@pytest.mark.usefixtures("worker")
def test_an_unknown_session_is_not_found(settings: Settings) -> None:
    with pytest.raises(SessionNotFound, match="nobody"):
        SessionEvents(settings).read_session("nobody")


class KnownPlaces(SessionReader):
    """A storage with an event index that the test chooses."""

    def __init__(self, settings: Settings, places: EventOffsets) -> None:
        super().__init__(settings)
        self._places = places

    def event_offsets(self, uid: str) -> EventOffsets:  # noqa: ARG002  # the reader's signature
        return self._places


def test_offsets_far_apart_are_read_one_by_one_and_expired_ones_are_named(settings: Settings) -> None:
    create_topics(settings)
    topic, partition = Topology(settings.namespace).events, partition_of(encode_key("s1"), settings.partitions)
    application = Application(settings)
    for number in range(9_000):
        application.fire("s1", {"trigger": f"page{number}"})
    application.flush()
    offsets = [1_000, 1_001, 4_000, 8_999]
    source = SessionEvents(settings, KnownPlaces(settings, EventOffsets(partition, offsets)))

    assert [event.position for event in source.read_session("s1")] == offsets

    admin = AdminClient({"bootstrap.servers": settings.brokers})
    for future in admin.delete_records([TopicPartition(topic, partition, 1_001)]).values():
        future.result(timeout=30)
    with pytest.raises(EventsExpired, match=f"{topic}/{partition}/1000 was removed"):
        source.read_session("s1")
