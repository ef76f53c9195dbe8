"""Reads of topics and single records by a client that leaves out records, and of topics that shrink meanwhile."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from confluent_kafka import Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from tests.support.commands import issue_in_transactions, make_command
from tests.support.skipping_clients import make_skipping_class
from tests.support.topic_setup import create_topics

from triggers.client.consumer_lag import measure_lag
from triggers.client.dead_letters import DeadLetters, read_letters
from triggers.client.session_events import SessionEvents
from triggers.codec import DeadLetter, encode_dead_letter
from triggers.errors import EventsExpired, NotFound, RecordsRemoved, RecordsSkipped
from triggers.kafka import offset_reads, range_reads, reading_options
from triggers.kafka.offset_reads import read_offsets
from triggers.kafka.offset_reservation import reserve_offsets
from triggers.kafka.range_reads import read_range
from triggers.settings import Settings
from triggers.topology import Topology

pytestmark = pytest.mark.broker

TO_THE_END = 1_000_000
COMMANDS = 100
HOLES = [(0, 1), (3, 4), (12, 60), (7, TO_THE_END)]


@pytest.fixture
def names(settings: Settings) -> Topology:
    return create_topics(settings)


def issued(settings: Settings) -> list[int]:
    """Issues commands on partition 0, five per transaction, and returns their offsets."""
    groups = [[make_command("app.task", f"s{n}", n) for n in range(5)] for _ in range(COMMANDS // 5)]
    issue_in_transactions(settings, groups, partition=0)
    return [n + n // 5 for n in range(COMMANDS)]


def produce(settings: Settings, topic: str, values: list[bytes], key: bytes = b"s1") -> None:
    producer = Producer({"bootstrap.servers": settings.brokers})
    for value in values:
        producer.produce(topic, value, key, 0)
        producer.poll(0)
    assert producer.flush(30) == 0


def remove_before(settings: Settings, topic: str, offset: int) -> None:
    position = TopicPartition(topic, 0, offset)
    admin = AdminClient({"bootstrap.servers": settings.brokers})
    admin.delete_records([position])[TopicPartition(topic, 0)].result(30)


def offsets_of(messages: list[Message]) -> list[int]:
    return [message.offset() or 0 for message in messages]


@pytest.mark.parametrize(("first", "length"), HOLES)
def test_a_range_is_read_completely(
    settings: Settings, names: Topology, monkeypatch: pytest.MonkeyPatch, first: int, length: int
) -> None:
    offsets, faulty = issued(settings), make_skipping_class(first, length)
    monkeypatch.setattr(range_reads, "Consumer", faulty)

    assert offsets_of(list(read_range(settings, names.commands, {0: 0}))) == offsets
    assert faulty.left_out == min(length, COMMANDS - first)


@pytest.mark.parametrize(
    "read",
    [
        lambda settings: [stored.offset for stored in read_letters(settings)],
        lambda settings: [stored.offset for stored in DeadLetters(settings).read_all()],
        lambda settings: [event.position for event in SessionEvents(settings).scan_partitions(["s1"])["s1"]],
        lambda settings: [event.position for _, event in SessionEvents(settings).read_all()],
        lambda settings: [row.records for row in measure_lag(settings) if row.topic.endswith("events")],
    ],
    ids=["dead letters", "redrive", "explain and capture", "backtest and export", "lag"],
)
def test_every_reader_of_a_range_reads_it_completely(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, read: Callable[[Settings], list[int | None]]
) -> None:
    alone = msgspec.structs.replace(settings, partitions=1)
    names = create_topics(alone)
    letter = DeadLetter(reason="r", topic="elsewhere", partition=0, offset=0, time=0)
    produce(alone, names.dead_letters, [encode_dead_letter(letter)] * COMMANDS)
    produce(alone, names.events, [b'{"trigger": "page"}'] * COMMANDS)
    faulty = make_skipping_class(20, 30)
    monkeypatch.setattr(range_reads, "Consumer", faulty)

    assert read(alone) in ([*range(COMMANDS)], [COMMANDS])
    assert faulty.left_out > 0


@pytest.mark.parametrize(("first", "length"), HOLES)
def test_all_single_records_are_read(
    settings: Settings, names: Topology, monkeypatch: pytest.MonkeyPatch, first: int, length: int
) -> None:
    offsets, faulty = issued(settings)[::3], make_skipping_class(first, length)
    monkeypatch.setattr(offset_reads, "Consumer", faulty)

    assert offsets_of(list(read_offsets(settings, names.commands, {0: offsets}))) == offsets
    assert faulty.left_out >= 1


def test_a_client_that_leaves_out_records_every_time_causes_an_error_rather_than_a_shorter_answer(
    settings: Settings, names: Topology, monkeypatch: pytest.MonkeyPatch
) -> None:
    offsets = issued(settings)
    monkeypatch.setattr(range_reads, "Consumer", make_skipping_class(12, 2, always=True))
    monkeypatch.setattr(offset_reads, "Consumer", make_skipping_class(12, 2, always=True))

    with pytest.raises(RecordsSkipped, match=f"{names.commands}/0 from offset {offsets[12]} on"):
        list(read_range(settings, names.commands, {0: 0}))
    with pytest.raises(RecordsSkipped, match=f"{names.commands}/0 from offset {offsets[12]} on"):
        list(read_offsets(settings, names.commands, {0: offsets}))


def test_a_topic_that_shrinks_while_it_is_read_causes_an_error_that_says_so(
    settings: Settings, names: Topology, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading_options, "_FETCHED_AHEAD_KB", 100)
    produce(settings, names.events, [b"x" * 3000] * 3000)
    reading = read_range(settings, names.events, {0: 0})
    next(reading)

    remove_before(settings, names.events, 2990)

    with pytest.raises(RecordsRemoved, match=f"{names.events}/0 does not have offset .* it was removed while"):
        list(reading)
    with pytest.raises(RecordsRemoved, match=f"{names.events}/0 does not have offset 0 any more"):
        list(read_range(settings, names.events, {0: 0}))
    assert len(list(read_range(settings, names.events, {0: 2990}))) == 10
    with pytest.raises(EventsExpired, match=f"{names.events}/0/5 was removed"):
        list(read_offsets(settings, names.events, {0: [5, 2995]}))


def test_a_record_behind_which_only_aborted_records_are_left_is_gone(settings: Settings, names: Topology) -> None:
    produce(settings, names.events, [b"x"])
    reserve_offsets(settings, names.reservation, names.events, 0, 20)

    with pytest.raises(EventsExpired, match=f"{names.events}/0/7 "):
        list(read_offsets(settings, names.events, {0: [0, 7]}))


def test_a_dead_letter_that_was_removed_is_not_found(settings: Settings, names: Topology) -> None:
    letter = DeadLetter(reason="r", topic="elsewhere", partition=0, offset=0, time=0)
    produce(settings, names.dead_letters, [encode_dead_letter(letter)] * 3)
    remove_before(settings, names.dead_letters, 2)

    with pytest.raises(NotFound, match="0/1: it was removed"):
        DeadLetters(settings).read_letter(0, 1)
    assert DeadLetters(settings).read_letter(0, 2).letter == letter
