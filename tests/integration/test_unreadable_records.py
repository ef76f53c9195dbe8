"""What we report as written can be read, even if the broker writes markers late or another transaction is open."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import pytest
from confluent_kafka import Producer
from msgspec import structs
from tests.chaos.brokers import Brokers, running_broker_behind_a_door
from tests.chaos.doors import Answers, Door
from tests.chaos.wire import Api
from tests.support.topic_reader import read_topic, wait_until
from tests.support.topic_setup import create_topics

from triggers.client.dead_letters import DeadLetters
from triggers.client.published_rules import StreamRules
from triggers.codec import DeadLetter, encode_dead_letter
from triggers.core.events import RulesPublished
from triggers.errors import CallError
from triggers.kafka.offset_reservation import reserve_offsets
from triggers.kafka.open_transactions import TransactionOpen
from triggers.kafka.range_reads import watermarks
from triggers.recovery.installation_checks import read_bounds
from triggers.settings import Settings
from triggers.topology import Topology, partition_of

pytestmark = [pytest.mark.broker, pytest.mark.timeout(180)]

MANY = 40
"""Number of attempts to write a marker. The broker makes one every 50 ms, so they last longer than a commit and a read.
"""
LETTERS = 3
T = TypeVar("T")


@pytest.fixture(scope="module")
def brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Brokers]:
    """A broker that sends the markers of transactions to itself through a door."""
    with running_broker_behind_a_door("broker", tmp_path_factory.mktemp("markers"), between="broker") as brokers:
        yield brokers


@pytest.fixture
def settings(brokers: Brokers, settings: Settings) -> Settings:
    ours = structs.replace(settings, brokers=brokers.addresses)
    create_topics(ours)
    return ours


@pytest.fixture
def markers(brokers: Brokers) -> Iterator[Door]:
    """The door, which loses all markers until `answers` is None."""
    door = brokers.doors["broker"]
    door.unheard.clear()
    door.answers = Answers(apis=frozenset({Api.WRITE_TXN_MARKERS}), unheard=1.0)
    yield door
    door.answers = None


@pytest.fixture
def thread() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as thread:
        yield thread


def lose_many_markers(markers: Door, call: Future[T]) -> None:
    """Loses markers for much longer than it takes to commit and to read, or until a call returns too early."""
    wait_until(lambda: call.done() or markers.unheard["WriteTxnMarkers"] >= MANY, "many markers are lost")
    markers.answers = None


@contextmanager
def open_transaction(settings: Settings, topic: str, partition: int = 0) -> Iterator[None]:
    """Keeps a transaction of another producer open, such as an agent's that writes a dead letter."""
    producer = Producer({"bootstrap.servers": settings.brokers, "transactional.id": f"{settings.namespace}.other"})
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(topic, b"undecided", partition=partition)
    assert producer.flush(30) == 0
    try:
        yield
    finally:
        producer.abort_transaction(30)


def publish_letters(settings: Settings) -> DeadLetters:
    names = Topology(settings.namespace)
    producer = Producer({"bootstrap.servers": settings.brokers})
    for number in range(LETTERS):
        letter = DeadLetter(
            topic=names.events, partition=0, offset=number, time=3, key=b"s", value=b"%d" % number, reason="bad json"
        )
        producer.produce(names.dead_letters, encode_dead_letter(letter), b"s", partition=0)
    assert producer.flush(30) == 0
    return DeadLetters(settings)


def redriven_records(settings: Settings) -> list[bytes]:
    return sorted(m.value() or b"" for m in read_topic(settings, Topology(settings.namespace).events))


def test_published_rules_are_among_those_that_are_read_next_although_the_marker_is_late(
    settings: Settings, markers: Door, thread: ThreadPoolExecutor
) -> None:
    rules = StreamRules(settings)
    configuration = b'{"t": {"after": ["go"], "run": "app.t"}}'
    event = RulesPublished(name="order", version=0, configuration=configuration)

    def publish_and_read() -> list[RulesPublished]:
        rules.publish(event)
        return rules.publications()

    publishing = thread.submit(publish_and_read)
    lose_many_markers(markers, publishing)

    assert [(each.name, each.version) for each in publishing.result(60)] == [("order", 1)]
    assert {bounds[1] for bounds in read_bounds(settings, Topology(settings.namespace).events).values()} == {2}


def test_redriven_letters_are_not_open_when_they_are_read_next_although_the_marker_is_late(
    settings: Settings, markers: Door, thread: ThreadPoolExecutor
) -> None:
    letters = publish_letters(settings)

    def redrive_and_read() -> list[str]:
        letters.redrive(letters.read_newest())
        return [each.state for each in letters.read_newest()]

    redriving = thread.submit(redrive_and_read)
    lose_many_markers(markers, redriving)

    assert redriving.result(60) == ["redriven"] * LETTERS
    assert redriven_records(settings) == [b"0", b"1", b"2"]


def test_letters_are_redriven_once_although_an_open_transaction_hides_their_marks(settings: Settings) -> None:
    letters = publish_letters(settings)
    stored = letters.read_newest()
    impatient = DeadLetters(structs.replace(settings, publish_timeout_s=1.0))
    hidden = f"{Topology(settings.namespace).dead_letters}/0"

    with open_transaction(settings, Topology(settings.namespace).dead_letters):
        for _ in range(2):
            with pytest.raises(TransactionOpen, match=hidden):
                impatient.redrive(stored)

    assert [each.offset for each in letters.redrive(stored)] == list(range(LETTERS))
    assert letters.redrive(stored) == []
    assert redriven_records(settings) == [b"0", b"1", b"2"]


def test_redriven_records_that_an_open_transaction_hides_are_reported_and_not_redriven_again(
    settings: Settings,
) -> None:
    letters = publish_letters(settings)
    stored = letters.read_newest()
    impatient = DeadLetters(structs.replace(settings, publish_timeout_s=1.0))
    events, partition = Topology(settings.namespace).events, partition_of(b"s", settings.partitions)

    with open_transaction(settings, events, partition):
        with pytest.raises(TransactionOpen, match=f"succeeded, but .* {events}/{partition}"):
            impatient.redrive(stored)
        assert impatient.redrive(stored) == []

    assert redriven_records(settings) == [b"0", b"1", b"2"]


def test_offsets_that_are_reserved_can_be_counted_next_although_the_marker_is_late(
    settings: Settings, markers: Door, thread: ThreadPoolExecutor
) -> None:
    names = Topology(settings.namespace)

    def reserve_and_read() -> tuple[int, int]:
        reserve_offsets(settings, names.reservation, names.events, 0, 5)
        return watermarks(settings, names.events, [0])[0]

    reserving = thread.submit(reserve_and_read)
    lose_many_markers(markers, reserving)

    assert reserving.result(60) == (0, 6)


def test_a_topic_whose_last_marker_is_late_is_read_to_its_end(
    settings: Settings, markers: Door, thread: ThreadPoolExecutor
) -> None:
    events = Topology(settings.namespace).events
    with open_transaction(settings, events):
        pass

    reading = thread.submit(read_bounds, settings, events)
    lose_many_markers(markers, reading)

    assert reading.result(60)[0] == (0, 2)


def test_a_topic_with_an_open_transaction_is_not_read_to_its_end(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("triggers.recovery.installation_checks._MARKERS_S", 0.2)
    events = Topology(settings.namespace).events

    with open_transaction(settings, events), pytest.raises(CallError, match=f"{events}/0.*start the worker"):
        read_bounds(settings, events)
