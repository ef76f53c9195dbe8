"""The worker's membership in its group, also while librdkafka or the broker cannot answer yet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from tests.support.offsets import commit_offsets
from tests.support.questionnaires import Application
from tests.support.topic_reader import wait_until
from tests.support.topic_setup import create_topics

from triggers.agent.consumer.guard import Guard
from triggers.agent.consumer.member import Member
from triggers.agent.consumer.ownership import Ownership
from triggers.agent.consumer.standstill_watch import StandstillWatch
from triggers.kafka.gap_reader import GapReader
from triggers.kafka.group_metadata import generation_of
from triggers.kafka.reading_options import gap_reader_options
from triggers.kafka.worker_options import member_options, producer_options
from triggers.process.exits import ExitCode, Stop
from triggers.settings import Settings
from triggers.store.transaction import Aborted
from triggers.telemetry.metrics import Metrics
from triggers.topology import Topology, partition_of

pytestmark = pytest.mark.broker


class NoRebalances:
    """Ignores rebalances."""

    def on_gained(self, partitions: frozenset[int]) -> None:
        """Does nothing."""

    def on_lost(self, partitions: frozenset[int]) -> None:
        """Does nothing."""


@pytest.fixture
def ownership() -> Ownership:
    return Ownership()


@pytest.fixture
def member(settings: Settings, ownership: Ownership) -> Iterator[Member]:
    topic = create_topics(settings).events
    guard = Guard(GapReader(lambda: gap_reader_options(settings), topic), Metrics(), proof_s=10, pause_s=0.1)
    member = Member(
        member_options(settings, "m"),
        topic,
        ownership,
        NoRebalances(),
        guard,
        standstills=StandstillWatch(guard, GapReader(lambda: gap_reader_options(settings), topic)),
        is_empty=lambda _: True,
        keeps_rows=False,
        patience_s=30,
    )
    yield member
    member.leave_group()


def recover(ownership: Ownership) -> None:
    """Marks all assigned partitions as recovered."""
    ownership.mark_restored(ownership.epochs_to_restore())


def wait_until_owned(member: Member, ownership: Ownership, settings: Settings) -> None:
    def owns() -> bool:
        member.fetch(10, 0.1)
        return len(ownership.owned) == settings.partitions

    wait_until(owns, "the group has given us all partitions")


def test_nothing_is_fetched_before_the_start_offsets_are_known(
    member: Member, ownership: Ownership, settings: Settings
) -> None:
    member.join_group()
    wait_until_owned(member, ownership, settings)

    assert member._kafka.assignment() == []

    recover(ownership)
    member.fetch(10, 0.1)

    assert sorted(tp.partition for tp in member._kafka.assignment()) == list(range(settings.partitions))
    assert member.consuming == frozenset(range(settings.partitions))


def read_on(member: Member, ownership: Ownership) -> list[int]:
    """Fetches until records are delivered and returns their offsets."""
    found: list[int] = []

    def some_came() -> bool:
        recover(ownership)
        found.extend(record.offset() or 0 for records in member.fetch(10, 0.1).values() for record in records)
        return bool(found)

    wait_until(some_came, "a record comes")
    return found


def test_after_a_rewind_the_same_records_come_again(member: Member, ownership: Ownership, settings: Settings) -> None:
    application = Application(settings)
    application.fire("s1", {"trigger": "a"})
    application.flush()
    member.join_group()

    assert read_on(member, ownership) == [0]

    member.rewind()

    assert read_on(member, ownership) == [0]


class _FailsInOnePartition:
    """Wraps the real consumer. Its first answer about committed offsets has an error in one partition.

    A broker answers so while it moves the group's coordinator, which a test cannot cause at a given moment.
    """

    def __init__(self, real: Consumer) -> None:
        self._real = real
        self.asked = 0

    def committed(self, partitions: list[TopicPartition], timeout: float) -> list[Any]:
        found = self._real.committed(partitions, timeout=timeout)
        self.asked += 1
        if self.asked != 1:
            return found
        unknown = SimpleNamespace(partition=0, offset=-1001, error=KafkaError(KafkaError.NOT_COORDINATOR))
        return [unknown if place.partition == 0 else place for place in found]

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # any attribute of the consumer
        return getattr(self._real, name)


def test_an_offset_that_the_broker_failed_to_return_is_fetched_again(
    member: Member, ownership: Ownership, settings: Settings
) -> None:
    topic = Topology(settings.namespace).events
    producer = Producer({"bootstrap.servers": settings.brokers})
    for number in range(7 * settings.partitions):
        producer.produce(topic, b"event", partition=number % settings.partitions)
    assert producer.flush(30) == 0
    committing = Consumer({"bootstrap.servers": settings.brokers, "group.id": Topology(settings.namespace).agents})
    commit_offsets(committing, [TopicPartition(topic, p, 7) for p in range(settings.partitions)])
    committing.close()
    answers = _FailsInOnePartition(member._kafka)
    member._kafka = answers  # type: ignore[assignment]  # it answers as a consumer does
    member.join_group()

    def runs() -> bool:
        recover(ownership)
        member.fetch(10, 0.1)
        return len(member.consuming) == settings.partitions

    wait_until(runs, "all partitions are read")
    assert member.committed == dict.fromkeys(range(settings.partitions), 7)
    assert answers.asked > 1


@contextmanager
def undecided_offsets(settings: Settings, *, commit: bool = False) -> Iterator[None]:
    """A foreign open transaction with offsets of the group. It is aborted or committed at the end."""
    names = Topology(settings.namespace)
    asking = Consumer({"bootstrap.servers": settings.brokers, "group.id": names.agents})
    producer = Producer(producer_options(settings, "stranger", 1_000_000, 1_000_000))
    producer.init_transactions(30)
    producer.begin_transaction()
    places = [TopicPartition(names.events, p, 7) for p in range(settings.partitions)]
    producer.send_offsets_to_transaction(places, asking.consumer_group_metadata(), 30)
    asking.close()
    yield
    (producer.commit_transaction if commit else producer.abort_transaction)(30)


def test_positions_can_be_set_while_an_open_transaction_has_offsets_of_the_group(
    member: Member, ownership: Ownership, settings: Settings
) -> None:
    application = Application(settings)
    application.fire("s1", {"trigger": "a"})
    application.flush()
    with undecided_offsets(settings):
        member.join_group()
        wait_until_owned(member, ownership, settings)
        for partition in range(settings.partitions):
            member._start_partition(TopicPartition(Topology(settings.namespace).events, partition, 0))
        member.consuming = ownership.owned

        assert read_on(member, ownership) == [0]


def group_offset(settings: Settings, partition: int) -> int:
    """Where the group is, as the broker says."""
    names = Topology(settings.namespace)
    asking = Consumer({"bootstrap.servers": settings.brokers, "group.id": names.agents})
    try:
        (found,) = asking.committed([TopicPartition(names.events, partition)], timeout=30)
    finally:
        asking.close()
    return int(found.offset)


def read_first_record(member: Member, ownership: Ownership, settings: Settings) -> int:
    """Publish an event and read it, without committing it; its partition."""
    application = Application(settings)
    application.fire("s1", {"trigger": "a"})
    application.flush()
    member.join_group()
    assert read_on(member, ownership) == [0]
    return partition_of(b"s1", settings.partitions)


def test_an_offset_that_somebody_else_has_written_is_put_back_and_ends_the_worker(
    member: Member, ownership: Ownership, settings: Settings
) -> None:
    partition = read_first_record(member, ownership, settings)
    with undecided_offsets(settings, commit=True):
        pass
    wait_until(lambda: group_offset(settings, partition) == 7, "the stranger's offsets are decided")

    member.rewind()
    with pytest.raises(Stop, match=r"was at offset 7 of .* has committed offset 0") as stopped:
        member.fetch(10, 0.1)

    assert stopped.value.code == ExitCode.FENCED
    assert [group_offset(settings, p) for p in range(settings.partitions)] == [0] * settings.partitions


class _RefusesCommits:
    """The real consumer of a member that was expelled and has not been told: the broker refuses what it commits.

    It lasts for a heartbeat at most, and cannot be timed.
    """

    def __init__(self, real: Consumer) -> None:
        self._real = real
        self.refused = 0

    def commit(self, **_: object) -> None:
        self.refused += 1
        raise KafkaException(KafkaError(KafkaError.UNKNOWN_MEMBER_ID))

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # whatever the consumer has
        return getattr(self._real, name)


def test_a_worker_that_does_not_know_its_loss_yet_leaves_the_offset_of_the_next_owner_alone(
    member: Member, ownership: Ownership, settings: Settings
) -> None:
    partition = read_first_record(member, ownership, settings)
    with undecided_offsets(settings, commit=True):
        pass
    wait_until(lambda: group_offset(settings, partition) == 7, "the next owner's offsets are decided")
    expelled = _RefusesCommits(member._kafka)
    member._kafka = expelled  # type: ignore[assignment]  # it answers as a consumer does

    member.rewind()

    assert member.fetch(10, 0.1) == {}
    assert expelled.refused == 1
    assert member.consuming == frozenset()
    assert group_offset(settings, partition) == 7


class _Expelled:
    """The real consumer once it has been told, twice in a row, that it is no member: no broker does so when asked."""

    def __init__(self, real: Consumer) -> None:
        self._real = real

    def consumer_group_metadata(self) -> bytes:
        stranger = Consumer({"bootstrap.servers": "127.0.0.1:1", "group.id": "g", "log_level": 0})
        metadata: bytes = stranger.consumer_group_metadata()
        stranger.close()
        return metadata

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # whatever the consumer has
        return getattr(self._real, name)


def test_a_worker_that_is_no_longer_a_member_commits_nothing(
    member: Member, ownership: Ownership, settings: Settings
) -> None:
    read_first_record(member, ownership, settings)
    assert generation_of(member.group_metadata()) > 0

    member._kafka = _Expelled(member._kafka)  # type: ignore[assignment]  # it answers as a consumer does

    with pytest.raises(Aborted, match="NO_GENERATION"):
        member.group_metadata()
