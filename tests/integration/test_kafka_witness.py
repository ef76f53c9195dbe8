"""The second reader on a real broker finds the cause of each gap."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from tests.support.topic_reader import wait_until

from triggers.dev.ports import free_ports
from triggers.kafka.continuity import ExpectedOffsets, Gap
from triggers.kafka.verdicts import Finding, Verdict
from triggers.kafka.witness import Witness

pytestmark = pytest.mark.broker

PARTITIONS = 3


@pytest.fixture
def topic(broker: str, namespace: str) -> str:
    admin = AdminClient({"bootstrap.servers": broker})
    admin.create_topics([NewTopic(namespace, PARTITIONS, 1)])[namespace].result(30)
    return namespace


@pytest.fixture
def witness(broker: str, topic: str) -> Iterator[Witness]:
    witness = Witness({"bootstrap.servers": broker, "group.id": "witness"}, topic)
    yield witness
    witness.close()


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


def verdicts(findings: list[Finding]) -> set[Verdict]:
    return {finding.verdict for finding in findings}


def test_all_markers_between_one_record_transactions_are_harmless(
    broker: str, topic: str, witness: Witness, transactions: TransactionalProducer
) -> None:
    for _ in range(200):
        transactions.write(1)
    expected = ExpectedOffsets()
    expected.start(0, 0)
    gaps = expected.advance(0, consumed(broker, topic, 200))

    findings = witness.prove(gaps, 30)

    assert len(gaps) == len(findings) == 199
    assert verdicts(findings) == {Verdict.HARMLESS}


def test_a_proof_takes_as_long_as_its_fetch_and_waits_for_nothing_else(
    witness: Witness, transactions: TransactionalProducer
) -> None:
    transactions.write(1)
    transactions.write(1)
    seconds = []
    for _ in range(20):
        started = time.perf_counter()
        assert verdicts(witness.prove([Gap(0, 1, 2)], 30)) == {Verdict.HARMLESS}
        seconds.append(time.perf_counter() - started)

    assert min(seconds) < 0.05


def test_aborted_records_are_harmless_in_several_partitions_at_once(
    broker: str, topic: str, witness: Witness, transactions: TransactionalProducer
) -> None:
    expected, gaps = ExpectedOffsets(), []
    for partition in range(PARTITIONS):
        transactions.write(50, partition, commit=False)
        transactions.write(1, partition)
        expected.start(partition, 0)
        gaps += expected.advance(partition, consumed(broker, topic, 1, partition))

    assert gaps == [Gap(partition, 0, 51) for partition in range(PARTITIONS)]
    assert verdicts(witness.prove(gaps, 30)) == {Verdict.HARMLESS}


@pytest.mark.parametrize(
    "gap",
    [
        pytest.param(Gap(0, 0, 1), id="the first"),
        pytest.param(Gap(0, 50, 51), id="one in the middle"),
        pytest.param(Gap(0, 1, 100), id="many"),
        pytest.param(Gap(0, 99, 101, ends_at_record=False), id="the last, beside a marker"),
    ],
)
def test_a_committed_record_in_a_gap_is_found(witness: Witness, transactions: TransactionalProducer, gap: Gap) -> None:
    transactions.write(100)

    findings = witness.prove([gap], 30)

    assert [finding.verdict for finding in findings] == [Verdict.SKIPPED]


def test_each_gap_has_its_own_verdict(witness: Witness, transactions: TransactionalProducer) -> None:
    transactions.write(3)
    transactions.write(3)

    findings = witness.prove([Gap(0, 3, 4), Gap(0, 5, 6)], 30)

    assert {finding.gap: finding.verdict for finding in findings} == {
        Gap(0, 3, 4): Verdict.HARMLESS,
        Gap(0, 5, 6): Verdict.SKIPPED,
    }


def test_a_position_behind_a_last_marker_is_harmless(witness: Witness, transactions: TransactionalProducer) -> None:
    transactions.write(3)
    transactions.write(5, commit=False)

    assert verdicts(witness.prove([Gap(0, 3, 10, ends_at_record=False)], 30)) == {Verdict.HARMLESS}


def test_a_position_that_the_log_does_not_reach_in_time_is_unproven(
    witness: Witness, transactions: TransactionalProducer
) -> None:
    transactions.write(3)
    started = time.monotonic()

    findings = witness.prove([Gap(0, 3, 1_000, ends_at_record=False)], 1)

    assert verdicts(findings) == {Verdict.UNPROVEN}
    assert time.monotonic() - started < 20


def delete_records(broker: str, topic: str, before: int) -> None:
    admin = AdminClient({"bootstrap.servers": broker})
    position = TopicPartition(topic, 0, before)
    admin.delete_records([position])[position].result(30)


def test_records_that_retention_removed_get_their_own_verdict(
    broker: str, topic: str, witness: Witness, transactions: TransactionalProducer
) -> None:
    transactions.write(10)
    transactions.write(10)
    delete_records(broker, topic, 5)

    findings = witness.prove([Gap(0, 3, 5), Gap(0, 10, 11)], 30)

    assert {finding.gap: finding.verdict for finding in findings} == {
        Gap(0, 3, 5): Verdict.REMOVED,
        Gap(0, 10, 11): Verdict.HARMLESS,
    }
    assert verdicts(witness.prove([Gap(0, 3, 8)], 30)) == {Verdict.SKIPPED}


def test_an_offset_beyond_the_end_of_the_log_is_unproven(witness: Witness, transactions: TransactionalProducer) -> None:
    transactions.write(3)

    findings = witness.prove([Gap(0, 500, 600)], 30)

    assert verdicts(findings) == {Verdict.UNPROVEN}
    assert "ends at offset 4" in findings[0].detail


def test_it_can_be_used_repeatedly_and_after_it_was_closed(
    witness: Witness, transactions: TransactionalProducer
) -> None:
    transactions.write(3)
    transactions.write(3)
    harmless, skipped = Gap(0, 3, 4), Gap(0, 1, 2)

    for gap, verdict in [(harmless, Verdict.HARMLESS), (skipped, Verdict.SKIPPED)] * 3:
        assert verdicts(witness.prove([gap], 30)) == {verdict}

    witness.close()

    assert verdicts(witness.prove([harmless], 30)) == {Verdict.HARMLESS}


def test_nothing_is_proved_without_a_broker() -> None:
    (nobody,) = free_ports(1)
    witness = Witness({"bootstrap.servers": f"127.0.0.1:{nobody}", "group.id": "witness", "log_level": 0}, "topic")

    findings = witness.prove([Gap(0, 3, 4)], 0.5)

    assert verdicts(findings) == {Verdict.UNPROVEN}
    witness.close()
