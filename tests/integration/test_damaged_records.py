"""A byte that flips on a broker's disk: every reader ends and says where, and none passes the wrong record on."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import msgspec
import pytest
from confluent_kafka import KafkaError, KafkaException, Producer
from tests.support.damaged_log import DamagedLog
from tests.support.event_reader import open_reader
from tests.support.topic_reader import wait_until
from tests.support.topic_setup import create_topics

from triggers.celery.command_source import CommandSource
from triggers.codec import DecisionRecord, encode_decision
from triggers.dev.broker import SHORT_LIVED, LocalKafka
from triggers.errors import BrokerUnavailable, SettingsError
from triggers.hooks.decision_consumer import DecisionConsumer
from triggers.kafka.expected_offsets import Gap
from triggers.kafka.gap_reader import GapReader
from triggers.kafka.offset_reads import read_offsets
from triggers.kafka.pending_gaps import GapState
from triggers.kafka.range_reads import read_range
from triggers.kafka.reading_options import gap_reader_options
from triggers.kafka.topics import create_topics as create_topics_with_decisions
from triggers.kafka.worker_options import probe_options, restore_options, second_restore_options
from triggers.process.exits import ExitCode, Stop
from triggers.settings import Settings
from triggers.store.orphaned_transactions import OrphanedTransactions
from triggers.store.partition_rows import PartitionRows, open_rows
from triggers.store.restore import Restorer
from triggers.store.second_reader import SecondReader
from triggers.telemetry.metrics import Metrics
from triggers.topology import Topology

pytestmark = pytest.mark.broker

RECORDS = 9
DAMAGED = 4


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the broker of these tests keeps its log."""
    return tmp_path_factory.mktemp("kafka") / "data"


@pytest.fixture(scope="module")
def own_kafka(broker: str, directory: Path) -> Iterator[str]:
    """Address of a broker whose files are on this machine. The common one has fetched Kafka before."""
    assert broker
    try:
        kafka = LocalKafka(data=directory, java_options=SHORT_LIVED)
    except SettingsError as error:
        pytest.skip(str(error))
    kafka.start()
    yield kafka.address
    kafka.stop()


@pytest.fixture
def settings(settings: Settings, own_kafka: str) -> Settings:
    return msgspec.structs.replace(settings, brokers=own_kafka)


@pytest.fixture
def names(settings: Settings) -> Topology:
    return create_topics(settings)


def write_damaged(settings: Settings, directory: Path, topic: str, values: list[bytes] | None = None) -> None:
    """Records on partition 0, a batch each; one of them is not what it was any more."""
    values = values or [b"record %d" % number for number in range(RECORDS)]
    producer = Producer({"bootstrap.servers": settings.brokers})
    for number, value in enumerate(values):
        producer.produce(topic, value, b"k%d" % number, 0)
        assert producer.flush(30) == 0
    DamagedLog(directory).flip(topic, values[DAMAGED])


def test_a_worker_ends_before_the_damaged_event(settings: Settings, names: Topology, directory: Path) -> None:
    write_damaged(settings, directory, names.events)
    with open_reader(settings) as reader:
        reader.member.join_group()

        with pytest.raises(Stop, match=f"{names.events}/0 cannot be read: .*offset {DAMAGED} .*CRC32C") as stopped:
            reader.read_until(DAMAGED)

    assert stopped.value.code == ExitCode.UNREADABLE
    assert all(offset < DAMAGED for offset in reader.delivered)


@pytest.fixture
def rows(tmp_path: Path) -> Iterator[PartitionRows]:
    rows = open_rows(tmp_path / "rows", "id", 0)
    yield rows
    rows.close()


def test_a_restore_ends_and_takes_no_damaged_row(
    settings: Settings, names: Topology, directory: Path, rows: PartitionRows
) -> None:
    write_damaged(settings, directory, names.changelog)
    restorer = Restorer(
        options=lambda: restore_options(settings),
        second_options=lambda: second_restore_options(settings),
        probe_options=lambda: probe_options(settings),
        topic=names.changelog,
        rows_of=lambda _: rows,
        metrics=Metrics(),
        orphans=OrphanedTransactions(settings, "w0"),
    )

    with pytest.raises(Stop, match=f"{names.changelog}/0 cannot be read: .*offset {DAMAGED} ") as stopped:
        restorer.restore(restorer.request([0]))

    assert stopped.value.code == ExitCode.UNREADABLE
    assert rows.get(b"k%d" % DAMAGED) is None
    assert rows.changelog_offset() < DAMAGED


def test_the_second_reader_of_a_restore_ends_too(settings: Settings, names: Topology, directory: Path) -> None:
    write_damaged(settings, directory, names.changelog)

    with pytest.raises(Stop, match="cannot be read") as stopped:
        SecondReader(second_restore_options(settings), names.changelog, {0: 0}).run(Event())

    assert stopped.value.code == ExitCode.UNREADABLE


def test_a_gap_with_a_damaged_record_is_not_proved_harmless(
    settings: Settings, names: Topology, directory: Path
) -> None:
    write_damaged(settings, directory, names.events)
    gap_reader = GapReader(lambda: gap_reader_options(settings), names.events)
    try:
        (examined,) = gap_reader.prove([Gap(0, DAMAGED, DAMAGED + 1)], 20)
    finally:
        gap_reader.close()

    assert examined.state is GapState.UNPROVEN
    assert "CRC32C" in examined.detail


def test_a_celery_worker_ends_before_the_damaged_command(settings: Settings, names: Topology, directory: Path) -> None:
    write_damaged(settings, directory, names.commands)
    source = CommandSource(settings)
    found: list[int] = []

    def has_come() -> bool:
        found.extend(delivery.offset for delivery in source.poll(0.1))
        return DAMAGED in found

    source.join_group()
    try:
        with pytest.raises(KafkaException) as raised:
            wait_until(has_come, "the damaged command comes")
    finally:
        source.close()

    assert raised.value.args[0].code() == KafkaError._BAD_MSG
    assert all(offset < DAMAGED for offset in found)


def test_hooks_end_before_the_damaged_decision(settings: Settings, directory: Path) -> None:
    create_topics_with_decisions(msgspec.structs.replace(settings, decisions=True))
    record = DecisionRecord(session="s1", partition=0, offset=0, kind="fire", outcome="applied", time=1)
    values = [encode_decision(msgspec.structs.replace(record, offset=n, time=1_000_000 + n)) for n in range(RECORDS)]
    write_damaged(settings, directory, Topology(settings.namespace).decisions, values)
    seen: list[int] = []

    with pytest.raises(KafkaException) as raised:
        DecisionConsumer(settings, lambda decision: seen.append(decision.offset)).run(threading.Event())

    assert raised.value.args[0].code() == KafkaError._BAD_MSG
    assert seen == list(range(len(seen)))
    assert len(seen) <= DAMAGED


def test_reads_of_a_topic_and_at_offsets_are_refused(settings: Settings, names: Topology, directory: Path) -> None:
    write_damaged(settings, directory, names.events)

    with pytest.raises(BrokerUnavailable, match="CRC32C"):
        list(read_range(settings, names.events, {0: 0}))
    with pytest.raises(BrokerUnavailable, match="CRC32C"):
        list(read_offsets(settings, names.events, {0: [0, DAMAGED]}))
