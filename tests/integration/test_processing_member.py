"""The worker's membership: what librdkafka is asked, and when it cannot answer yet."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.support.questionnaires import Application
from tests.support.topic_reader import wait_until
from tests.support.topic_setup import create_topics

from triggers.processing.kafka_options import member_options
from triggers.processing.member import Member
from triggers.processing.ownership import Ownership
from triggers.settings import Settings

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
