"""Facts about librdkafka that this package relies on. An upgrade that changes one of them fails here.

docs/faults.md lists them and others that are harder to show.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from tests.support.offsets import fetch_ends
from tests.support.topic_setup import create_topics

from triggers.settings import Settings

pytestmark = pytest.mark.broker

PATIENCE_S = 20.0


@pytest.fixture
def topic(settings: Settings) -> str:
    return create_topics(settings).events


@contextmanager
def consumer(settings: Settings, isolation: str = "read_committed", group: str = "facts") -> Iterator[Consumer]:
    options = {
        "bootstrap.servers": settings.brokers,
        "group.id": f"{settings.namespace}.{group}",
        "isolation.level": isolation,
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "auto.offset.reset": "error",
        "allow.auto.create.topics": False,
    }
    with closing(Consumer(options)) as made:
        yield made


@contextmanager
def transactions(settings: Settings) -> Iterator[Producer]:
    options = {
        "bootstrap.servers": settings.brokers,
        "transactional.id": f"{settings.namespace}-facts",
        "compression.type": "lz4",  # as the worker's producer has it
    }
    producer = Producer(options)
    producer.init_transactions(PATIENCE_S)
    yield producer


def write(producer: Producer, topic: str, values: int, *, end: Callable[[float], None] | None) -> None:
    """Writes records to partition 0 in a transaction. `end` ends it, and without one it stays open."""
    producer.begin_transaction()
    for _ in range(values):
        producer.produce(topic, b"x", partition=0)
    producer.flush(PATIENCE_S)
    if end is not None:
        end(PATIENCE_S)


def read_to_the_end_event(kafka: Consumer) -> tuple[list[int], Message]:
    """Reads to the end. Returns the records' offsets and the end-of-partition event."""
    offsets: list[int] = []
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        for message in kafka.consume(100, 0.5):
            error = message.error()
            if error is None:
                offsets.append(message.offset() or 0)
            elif error.code() == KafkaError._PARTITION_EOF:  # librdkafka's code, which has no public name
                return offsets, message
    raise AssertionError(f"no end after {offsets}")


def test_a_pause_outlives_the_assignment_until_it_is_resumed(settings: Settings, topic: str) -> None:
    start = TopicPartition(topic, 0, 0)
    with transactions(settings) as producer, consumer(settings) as kafka:
        write(producer, topic, 3, end=producer.commit_transaction)
        kafka.incremental_assign([start])
        assert read_to_the_end_event(kafka)[0] == [0, 1, 2]
        kafka.pause([start])
        kafka.incremental_unassign([start])
        kafka.incremental_assign([start])

        assert kafka.consume(3, 1.0) == [], "given back after a pause, the partition must be resumed to be read"

        kafka.resume([start])
        assert read_to_the_end_event(kafka)[0] == [0, 1, 2]


def test_partitions_are_unassigned_all_or_none(settings: Settings, topic: str) -> None:
    mine, not_mine = TopicPartition(topic, 0, 0), TopicPartition(topic, 1, 0)
    with consumer(settings) as kafka:
        kafka.incremental_assign([mine])

        with pytest.raises(KafkaException, match="not in the current assignment"):
            kafka.incremental_unassign([mine, not_mine])

        assert [(place.topic, place.partition) for place in kafka.assignment()] == [(topic, 0)]
        kafka.incremental_unassign([])  # a callback calls this if it has nothing to give up
        kafka.incremental_assign([])


def test_position_and_end_event_stand_after_markers_and_aborted_records(settings: Settings, topic: str) -> None:
    start = TopicPartition(topic, 0, 0)
    with transactions(settings) as producer, consumer(settings) as kafka:
        write(producer, topic, 2, end=producer.commit_transaction)  # 0, 1, the marker 2
        write(producer, topic, 2, end=producer.abort_transaction)  # 3, 4, the marker 5
        kafka.assign([start])

        offsets, end = read_to_the_end_event(kafka)

        assert offsets == [0, 1]
        assert end.offset() == 6
        assert [at.offset for at in kafka.position([start])] == [6]
        assert kafka.get_watermark_offsets(start, timeout=PATIENCE_S) == (0, 6)
        assert fetch_ends(kafka, topic, [0]) == {0: 6}


def test_the_end_event_stands_before_an_open_transaction(settings: Settings, topic: str) -> None:
    start = TopicPartition(topic, 0, 0)
    with (
        transactions(settings) as producer,
        consumer(settings) as of_committed,
        consumer(settings, "read_uncommitted") as of_all,
    ):
        write(producer, topic, 1, end=producer.commit_transaction)  # 0, the marker 1
        write(producer, topic, 3, end=None)  # 2, 3, 4
        of_committed.assign([start])
        of_all.assign([start])

        assert read_to_the_end_event(of_committed)[1].offset() == 2
        assert of_committed.get_watermark_offsets(start, timeout=PATIENCE_S) == (0, 2)
        assert fetch_ends(of_committed, topic, [0]) == {0: 2}
        assert of_committed.get_watermark_offsets(start, cached=True) == (0, 5), "what was fetched tells the whole log"
        assert read_to_the_end_event(of_all)[1].offset() == 5

        producer.abort_transaction(PATIENCE_S)


def test_only_a_read_uncommitted_consumer_gets_offsets_of_an_open_transaction(settings: Settings, topic: str) -> None:
    """A consumer that never joins asks, because the admin call for offsets can crash the process."""
    partition = TopicPartition(topic, 0, 0)
    with (
        transactions(settings) as producer,
        consumer(settings) as of_committed,
        consumer(settings, "read_uncommitted") as of_all,
    ):
        write(producer, topic, 1, end=None)
        group = of_all.consumer_group_metadata()
        producer.send_offsets_to_transaction([TopicPartition(topic, 0, 1, "who")], group, PATIENCE_S)
        producer.commit_transaction(PATIENCE_S)
        producer.begin_transaction()
        producer.send_offsets_to_transaction([TopicPartition(topic, 0, 7, "another")], group, PATIENCE_S)

        committed = of_all.committed([partition], timeout=PATIENCE_S)[0]
        assert (committed.offset, committed.metadata, committed.error) == (1, "who", None)
        with pytest.raises(KafkaException):
            of_committed.committed([partition], timeout=1.0)

        producer.abort_transaction(PATIENCE_S)
