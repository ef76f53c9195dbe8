"""The worker's membership: what librdkafka is asked, and when it cannot answer yet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from tests.support.questionnaires import Application
from tests.support.topic_reader import wait_until
from tests.support.topic_setup import create_topics

from triggers.processing.kafka_options import member_options, producer_options
from triggers.processing.member import Member
from triggers.processing.ownership import Ownership
from triggers.settings import Settings
from triggers.topology import Topology

pytestmark = pytest.mark.broker


class NoRebalances:
    """Nobody wants to know."""

    def gained(self, partitions: frozenset[int]) -> None:
        """See `Rebalances`."""

    def lost(self, partitions: frozenset[int]) -> None:
        """See `Rebalances`."""


@pytest.fixture
def ownership() -> Ownership:
    return Ownership()


@pytest.fixture
def member(settings: Settings, ownership: Ownership) -> Iterator[Member]:
    topic = create_topics(settings).events
    member = Member(
        member_options(settings, "m"), topic, ownership, NoRebalances(), is_empty=lambda _: True, patience_s=30
    )
    yield member
    member.leave()


def own_everything(ownership: Ownership, partitions: int) -> None:
    ownership.assign(range(partitions))
    ownership.recovered(ownership.to_recover())


def test_a_partition_whose_assignment_is_still_on_the_way_is_read_later(
    member: Member, ownership: Ownership, settings: Settings
) -> None:
    own_everything(ownership, settings.partitions)

    assert member.fetch(10, 0.1) == {}
    assert member.running == frozenset()

    member.join()

    def runs() -> bool:
        member.fetch(10, 0.1)
        own_everything(ownership, settings.partitions)
        return len(member.running) == settings.partitions

    wait_until(runs, "all partitions are read")


def read_on(member: Member, ownership: Ownership, settings: Settings) -> list[int]:
    """Offsets of the next records that come."""
    found: list[int] = []

    def some_came() -> bool:
        own_everything(ownership, settings.partitions)
        found.extend(record.offset() or 0 for records in member.fetch(10, 0.1).values() for record in records)
        return bool(found)

    wait_until(some_came, "a record comes")
    return found


def test_after_a_rewind_the_same_records_come_again(member: Member, ownership: Ownership, settings: Settings) -> None:
    application = Application(settings)
    application.fire("s1", {"trigger": "a"})
    application.flush()
    member.join()

    assert read_on(member, ownership, settings) == [0]

    member.rewind()

    assert read_on(member, ownership, settings) == [0]


class _FailsInOnePartition:
    """The real consumer, whose first answer about the offsets of an assignment has an error in one partition.

    A broker that is moving the group's coordinator answers so; none can be made to at a given moment.
    """

    def __init__(self, real: Consumer) -> None:
        self._real = real
        self.asked = 0

    def committed(self, partitions: list[TopicPartition], timeout: float) -> list[Any]:
        found = self._real.committed(partitions, timeout=timeout)
        self.asked += bool(self._real.assignment())
        if self.asked != 1:
            return found
        unknown = SimpleNamespace(partition=0, offset=-1001, error=KafkaError(KafkaError.NOT_COORDINATOR))
        return [unknown if place.partition == 0 else place for place in found]

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # whatever the consumer has
        return getattr(self._real, name)


def test_an_offset_that_the_broker_could_not_tell_is_asked_for_again(
    member: Member, ownership: Ownership, settings: Settings
) -> None:
    topic = Topology(settings.namespace).events
    committing = Consumer({"bootstrap.servers": settings.brokers, "group.id": Topology(settings.namespace).agents})
    committing.commit(offsets=[TopicPartition(topic, p, 7) for p in range(settings.partitions)], asynchronous=False)
    committing.close()
    answers = _FailsInOnePartition(member._kafka)
    member._kafka = answers  # type: ignore[assignment]  # it answers as a consumer does
    member.join()

    def runs() -> bool:
        own_everything(ownership, settings.partitions)
        member.fetch(10, 0.1)
        return len(member.running) == settings.partitions

    wait_until(runs, "all partitions are read")
    assert member.committed == dict.fromkeys(range(settings.partitions), 7)
    assert answers.asked > 1


@contextmanager
def undecided_offsets(settings: Settings) -> Iterator[None]:
    """A transaction of somebody else that moves the group's offsets; aborted in the end."""
    names = Topology(settings.namespace)
    asking = Consumer({"bootstrap.servers": settings.brokers, "group.id": names.agents})
    producer = Producer(producer_options(settings, "stranger", 1_000_000, 1_000_000))
    producer.init_transactions(30)
    producer.begin_transaction()
    places = [TopicPartition(names.events, p, 7) for p in range(settings.partitions)]
    producer.send_offsets_to_transaction(places, asking.consumer_group_metadata(), 30)
    asking.close()
    yield
    producer.abort_transaction(30)


def test_where_to_read_can_be_set_while_the_offsets_of_the_group_are_undecided(
    member: Member, settings: Settings
) -> None:
    def is_assigned() -> bool:
        member.fetch(10, 0.1)
        return len(member._kafka.assignment()) == settings.partitions

    with undecided_offsets(settings):
        member.join()
        wait_until(is_assigned, "the partitions are assigned")

        assert member._start(TopicPartition(Topology(settings.namespace).events, 0, 0))
