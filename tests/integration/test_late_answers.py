"""No event is skipped when a partition is taken over while answers of the broker come late."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

import pytest
from confluent_kafka import OFFSET_END, Consumer, KafkaException, TopicPartition
from msgspec import structs
from tests.chaos.brokers import Brokers, running_broker_behind_a_door
from tests.chaos.doors import Answers, Door
from tests.chaos.wire import Api
from tests.support.event_reader import open_reader, publish_numbers
from tests.support.one_session import commit_offset
from tests.support.topic_reader import wait_until
from tests.support.topic_setup import create_topics

from triggers.agent.consumer.fetched_partitions import FetchedPartitions
from triggers.settings import Settings

pytestmark = [pytest.mark.broker, pytest.mark.timeout(180)]

LATE_S = 0.8
SMALL_FETCHES = {"max.partition.fetch.bytes": 20_000, "queued.min.messages": 100}
"""Fetches so small that a partition is still being read when a late answer arrives."""


@pytest.fixture(scope="module")
def brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Brokers]:
    with running_broker_behind_a_door("member", tmp_path_factory.mktemp("late")) as brokers:
        yield brokers


@pytest.fixture
def late(brokers: Brokers, settings: Settings) -> Iterator[tuple[Door, Settings]]:
    """A door that can delay answers, and settings of a client behind it."""
    door = brokers.doors["member"]
    yield door, structs.replace(settings, brokers=brokers.addresses_behind("member"))
    door.answers = None


@pytest.mark.parametrize("api", [Api.LIST_OFFSETS, Api.OFFSET_FETCH, Api.FETCH, Api.JOIN_GROUP])
def test_late_answers_slow_down_a_takeover_and_skip_no_event(late: tuple[Door, Settings], api: Api) -> None:
    door, settings = late
    create_topics(settings)
    publish_numbers(settings, 2_000)
    with open_reader(settings, SMALL_FETCHES) as reader:
        door.answers = Answers(apis=frozenset({api}), client=b"reader", delay_s=LATE_S)
        reader.member.join_group()

        assert reader.read_until(1_999) == list(range(2_000))
        assert reader.refused == 0
        assert reader.gaps() == {}


class PartitionsSetBySeek(FetchedPartitions):
    """Sets positions as the worker once did: it assigns the end, which needs a look-up, and seeks meanwhile."""

    def __init__(self, kafka: Consumer, topic: str, count: int) -> None:
        super().__init__(kafka, topic)
        self._all = [TopicPartition(topic, partition, OFFSET_END) for partition in range(count)]

    def accept_gained(self) -> None:
        self._kafka.incremental_assign(self._all)
        self._kafka.pause(self._all)
        self._assigned = {place.partition for place in self._all}

    def distrust(self, partitions: Iterable[int]) -> None:
        """Does nothing, so that every record is trusted."""

    def fetch_from(self, partition: int, offset: int) -> None:
        place = TopicPartition(self._topic, partition, offset)

        def is_sought() -> bool:
            try:
                self._kafka.seek(place)
            except KafkaException:
                return False
            return True

        wait_until(is_sought, "the assignment has arrived inside librdkafka")
        self._kafka.resume([place])


def test_a_partition_that_a_late_answer_sets_to_the_end_is_noticed_and_read_again(late: tuple[Door, Settings]) -> None:
    """Only the guard protects here, because partitions are taken over in the way that can skip."""
    door, settings = late
    create_topics(settings)
    publish_numbers(settings, 20_000)
    for partition in range(settings.partitions):  # otherwise where to begin is asked for, and all answers are there
        commit_offset(settings, 0, partition)
    with open_reader(settings, SMALL_FETCHES) as reader:
        reader.plant(partitions=partial(PartitionsSetBySeek, count=settings.partitions))
        door.answers = Answers(apis=frozenset({Api.LIST_OFFSETS}), client=b"reader", delay_s=LATE_S)
        reader.member.join_group()

        assert reader.read_until(19_999, at_once=50) == list(range(20_000))
        assert reader.refused > 0
        assert reader.gaps().get("skipped", 0) + reader.gaps().get("repeated", 0) + reader.standstills() > 0
