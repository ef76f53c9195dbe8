"""The second reader on a real broker finds the cause of each gap."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from tests.support.topic_reader import wait_until

from triggers.dev.ports import free_ports
from triggers.kafka.expected_offsets import ExpectedOffsets, Gap
from triggers.kafka.gap_reader import GapReader
from triggers.kafka.pending_gaps import ExaminedGap, GapState

pytestmark = pytest.mark.broker

PARTITIONS = 3


@pytest.fixture
def topic(broker: str, namespace: str) -> str:
    admin = AdminClient({"bootstrap.servers": broker})
    admin.create_topics([NewTopic(namespace, PARTITIONS, 1)])[namespace].result(30)
    return namespace


@pytest.fixture
def gap_reader(broker: str, topic: str) -> Iterator[GapReader]:
    gap_reader = GapReader(lambda: {"bootstrap.servers": broker, "group.id": "gap_reader"}, topic)
    yield gap_reader
    gap_reader.close()


class TransactionalProducer:
    """Writes records in transactions, by default to partition 0."""

    def __init__(self, broker: str, topic: str) -> None:
        self._topic = topic
        self._kafka = Producer(
            {"bootstrap.servers": broker, "transactional.id": f"{topic}-writer", "retry.backoff.ms": 2}
        )
        self._kafka.init_transactions(30)

    def write(self, records: int, partition: int = 0, *, commit: bool = True) -> None:
        """Writes a number of records in a transaction."""
        self._kafka.begin_transaction()
        for _ in range(records):
            self._kafka.produce(self._topic, b"record", partition=partition)
        if commit:
            self._kafka.commit_transaction(30)
        else:
            self._kafka.flush(30)  # without a flush, an abort would remove them before they are sent
            self._kafka.abort_transaction(30)


@pytest.fixture
def transactions(broker: str, topic: str) -> TransactionalProducer:
    return TransactionalProducer(broker, topic)


def consumed(broker: str, topic: str, records: int, partition: int = 0) -> list[int]:
    """Waits for a number of committed records of a partition and returns their offsets."""
    kafka = Consumer({"bootstrap.servers": broker, "group.id": "first", "isolation.level": "read_committed"})
    kafka.assign([TopicPartition(topic, partition, 0)])
    offsets: list[int] = []

    def all_came() -> bool:
        offsets.extend(message.offset() or 0 for message in kafka.consume(1_000, 0.1))
        return len(offsets) >= records

    wait_until(all_came, f"{records} records")
    kafka.close()
    return offsets


def states(examined: list[ExaminedGap]) -> set[GapState]:
    return {each.state for each in examined}


def test_all_markers_between_one_record_transactions_are_harmless(
    broker: str, topic: str, gap_reader: GapReader, transactions: TransactionalProducer
) -> None:
    for _ in range(200):
        transactions.write(1)
    expected = ExpectedOffsets()
    expected.start(0, 0)
    gaps = expected.advance(0, consumed(broker, topic, 200))

    examined = gap_reader.prove(gaps, 30)

    assert len(gaps) == len(examined) == 199
    assert states(examined) == {GapState.HARMLESS}


def test_a_proof_takes_as_long_as_its_fetch_and_waits_for_nothing_else(
    gap_reader: GapReader, transactions: TransactionalProducer
) -> None:
    transactions.write(1)
    transactions.write(1)
    quickest = math.inf
    for _ in range(200):  # a busy machine may need many
        started = time.perf_counter()
        assert states(gap_reader.prove([Gap(0, 1, 2)], 30)) == {GapState.HARMLESS}
        quickest = min(quickest, time.perf_counter() - started)
        if quickest < 0.05:
            break

    assert quickest < 0.05


def test_aborted_records_are_harmless_in_several_partitions_at_once(
    broker: str, topic: str, gap_reader: GapReader, transactions: TransactionalProducer
) -> None:
    expected, gaps = ExpectedOffsets(), []
    for partition in range(PARTITIONS):
        transactions.write(50, partition, commit=False)
        transactions.write(1, partition)
        expected.start(partition, 0)
        gaps += expected.advance(partition, consumed(broker, topic, 1, partition))

    assert gaps == [Gap(partition, 0, 51) for partition in range(PARTITIONS)]
    assert states(gap_reader.prove(gaps, 30)) == {GapState.HARMLESS}


@pytest.mark.parametrize(
    "gap",
    [
        pytest.param(Gap(0, 0, 1), id="the first"),
        pytest.param(Gap(0, 50, 51), id="one in the middle"),
        pytest.param(Gap(0, 1, 100), id="many"),
        pytest.param(Gap(0, 99, 101, ends_at_record=False), id="the last, beside a marker"),
    ],
)
def test_a_committed_record_in_a_gap_is_found(
    gap_reader: GapReader, transactions: TransactionalProducer, gap: Gap
) -> None:
    transactions.write(100)

    examined = gap_reader.prove([gap], 30)

    assert [each.state for each in examined] == [GapState.SKIPPED]


def test_each_gap_has_its_own_state(gap_reader: GapReader, transactions: TransactionalProducer) -> None:
    transactions.write(3)
    transactions.write(3)

    examined = gap_reader.prove([Gap(0, 3, 4), Gap(0, 5, 6)], 30)

    assert {each.gap: each.state for each in examined} == {
        Gap(0, 3, 4): GapState.HARMLESS,
        Gap(0, 5, 6): GapState.SKIPPED,
    }


def test_a_position_after_a_last_marker_is_harmless(gap_reader: GapReader, transactions: TransactionalProducer) -> None:
    transactions.write(3)
    transactions.write(5, commit=False)

    assert states(gap_reader.prove([Gap(0, 3, 10, ends_at_record=False)], 30)) == {GapState.HARMLESS}


def test_a_position_that_the_log_does_not_reach_in_time_is_unproven(
    gap_reader: GapReader, transactions: TransactionalProducer
) -> None:
    transactions.write(3)
    started = time.monotonic()

    examined = gap_reader.prove([Gap(0, 3, 1_000, ends_at_record=False)], 1)

    assert states(examined) == {GapState.UNPROVEN}
    assert time.monotonic() - started < 20


def delete_records(broker: str, topic: str, before: int) -> None:
    admin = AdminClient({"bootstrap.servers": broker})
    position = TopicPartition(topic, 0, before)
    admin.delete_records([position])[position].result(30)


def test_records_that_retention_removed_have_their_own_state(
    broker: str, topic: str, gap_reader: GapReader, transactions: TransactionalProducer
) -> None:
    transactions.write(10)
    transactions.write(10)
    delete_records(broker, topic, 5)

    examined = gap_reader.prove([Gap(0, 3, 5), Gap(0, 10, 11)], 30)

    assert {each.gap: each.state for each in examined} == {
        Gap(0, 3, 5): GapState.REMOVED,
        Gap(0, 10, 11): GapState.HARMLESS,
    }
    assert states(gap_reader.prove([Gap(0, 3, 8)], 30)) == {GapState.SKIPPED}


def test_an_offset_beyond_the_end_of_the_log_is_unproven(
    gap_reader: GapReader, transactions: TransactionalProducer
) -> None:
    transactions.write(3)

    examined = gap_reader.prove([Gap(0, 500, 600)], 30)

    assert states(examined) == {GapState.UNPROVEN}
    assert "ends at offset 4" in examined[0].detail


def test_it_can_be_used_repeatedly_and_after_it_was_closed(
    gap_reader: GapReader, transactions: TransactionalProducer
) -> None:
    transactions.write(3)
    transactions.write(3)
    harmless, skipped = Gap(0, 3, 4), Gap(0, 1, 2)

    for gap, state in [(harmless, GapState.HARMLESS), (skipped, GapState.SKIPPED)] * 3:
        assert states(gap_reader.prove([gap], 30)) == {state}

    gap_reader.close()

    assert states(gap_reader.prove([harmless], 30)) == {GapState.HARMLESS}


def test_nothing_is_proved_without_a_broker() -> None:
    (nobody,) = free_ports(1)
    gap_reader = GapReader(
        lambda: {"bootstrap.servers": f"127.0.0.1:{nobody}", "group.id": "gap_reader", "log_level": 0}, "topic"
    )

    examined = gap_reader.prove([Gap(0, 3, 4)], 0.5)

    assert states(examined) == {GapState.UNPROVEN}
    gap_reader.close()
