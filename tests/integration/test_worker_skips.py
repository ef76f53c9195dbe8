"""No event is skipped, neither when a partition is taken over nor by a consumer that leaves out records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from unittest.mock import patch

import pytest
from confluent_kafka import OFFSET_END, Consumer, KafkaException, Producer, TopicPartition
from msgspec import structs
from tests.chaos.brokers import Brokers
from tests.chaos.doors import Answers, Door
from tests.chaos.wire import Api
from tests.support.event_reader import EventReader, open_reader
from tests.support.fold_oracle import assert_equals_fold
from tests.support.one_session import commit_offset, fire_events
from tests.support.settled import wait_until_processed
from tests.support.skipping_consumer import SkippingConsumer
from tests.support.topic_reader import read_topic, wait_until
from tests.support.topic_setup import create_topics
from tests.support.worker_process import WorkerProcess

from triggers.commit.fetched_partitions import FetchedPartitions
from triggers.process.exits import ExitCode, Stop
from triggers.settings import Settings
from triggers.topology import Topology

pytestmark = [pytest.mark.broker, pytest.mark.timeout(180)]

LATE_S = 0.8
SMALL_FETCHES = {"max.partition.fetch.bytes": 20_000, "queued.min.messages": 100}
"""Fetches so small that a partition is still being read when a late answer arrives."""


def publish(settings: Settings, events: int) -> None:
    """Publishes a number of events to partition 0."""
    producer = Producer({"bootstrap.servers": settings.brokers, "linger.ms": 20})
    for number in range(events):
        producer.produce(Topology(settings.namespace).events, b"%d" % number, partition=0)
        producer.poll(0)
    assert producer.flush(30) == 0


def refuse_until_it_stops(reader: EventReader) -> Stop:
    """Reads until the guard ends the worker, and returns the error."""
    stops: list[Stop] = []

    def stopped() -> bool:
        try:
            reader.read()
        except Stop as stop:
            stops.append(stop)
        return bool(stops)

    wait_until(stopped, "the worker ends")
    return stops[0]


# A consumer that leaves records out


@pytest.mark.parametrize(
    ("first", "count"),
    [
        pytest.param(0, 1, id="the first record"),
        pytest.param(50, 1, id="one in the middle"),
        pytest.param(20, 60, id="many"),
        pytest.param(0, 99, id="all but the last"),
    ],
)
def test_records_that_were_left_out_once_are_fetched_again(settings: Settings, first: int, count: int) -> None:
    create_topics(settings)
    publish(settings, 100)
    with open_reader(settings) as reader:
        reader.plant(consumer=lambda real: SkippingConsumer(real, first, count, times=1))
        reader.member.join_group()

        assert reader.read_until(99) == list(range(100))
        assert reader.gaps()["skipped"] == 1


@pytest.mark.parametrize(("first", "count"), [(0, 1), (50, 1), (20, 60)])
def test_records_that_are_left_out_every_time_end_the_worker(settings: Settings, first: int, count: int) -> None:
    create_topics(settings)
    publish(settings, 100)
    with open_reader(settings) as reader:
        reader.plant(consumer=lambda real: SkippingConsumer(real, first, count, times=-1))
        reader.member.join_group()

        stop = refuse_until_it_stops(reader)

        assert stop.code == ExitCode.SKIPPED
        assert f"offset {first}" in stop.why or f"offsets {first} to" in stop.why
        assert all(offset < first for offset in reader.delivered)


def test_offsets_behind_markers_are_committed_only_when_no_record_is_left(settings: Settings) -> None:
    names = create_topics(settings)
    producer = Producer({"bootstrap.servers": settings.brokers, "transactional.id": settings.namespace})
    producer.init_transactions(30)
    for _ in range(20):
        producer.begin_transaction()
        producer.produce(names.events, b"event", partition=0)
        producer.commit_transaction(30)
    with open_reader(settings) as reader:
        reader.member.join_group()

        assert reader.read_until(38) == list(range(0, 40, 2))

        positions: dict[int, int] = {}

        def has_advanced() -> bool:
            reader.read()
            positions.update(reader.member.offsets_past_markers())
            return positions.get(0) == 40

        wait_until(has_advanced, "the position is behind the last marker")
        assert reader.gaps() == {"harmless": 20}
        assert reader.refused == 0


# Answers that come late


@pytest.fixture(scope="module")
def brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Brokers]:
    folder: Path = tmp_path_factory.mktemp("late")
    brokers = Brokers(1, ["member"], folder)
    try:
        brokers.start()
        yield brokers
    finally:
        brokers.stop()


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
    publish(settings, 2_000)
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
    publish(settings, 20_000)
    for partition in range(settings.partitions):  # otherwise where to begin is asked for, and all answers are there
        commit_offset(settings, 0, partition)
    with open_reader(settings, SMALL_FETCHES) as reader:
        reader.plant(partitions=partial(PartitionsSetBySeek, count=settings.partitions))
        door.answers = Answers(apis=frozenset({Api.LIST_OFFSETS}), client=b"reader", delay_s=LATE_S)
        reader.member.join_group()

        assert reader.read_until(19_999, at_once=50) == list(range(20_000))
        assert reader.refused > 0
        assert reader.gaps().get("skipped", 0) + reader.gaps().get("repeated", 0) + reader.standstills() > 0


# Whole workers


class Planted:
    """A `plant` for `WorkerProcess`, which can be pickled for another process."""

    def __init__(self, first: int, count: int, times: int) -> None:
        self._new = partial(SkippingConsumer, first=first, count=count, times=times)

    def __call__(self) -> None:
        patch("triggers.commit.member.Consumer", lambda options: self._new(Consumer(options))).start()


@pytest.mark.parametrize(("first", "count"), [(0, 1), (40, 1), (10, 70)])
def test_a_worker_applies_events_that_its_consumer_left_out_once(settings: Settings, first: int, count: int) -> None:
    create_topics(settings)
    fire_events(settings, 100)
    with WorkerProcess(settings, "w0", plant=Planted(first, count, times=1)) as worker:
        wait_until_processed(settings)

        assert_equals_fold(settings)
        assert worker.metric("triggers_event_gaps_total") >= 1
        assert "events are missing and fetched again" in worker.log_text()


@pytest.mark.parametrize(("first", "count"), [(0, 1), (40, 1)])
def test_a_worker_whose_consumer_leaves_out_events_every_time_applies_no_later_events(
    settings: Settings, first: int, count: int
) -> None:
    names = create_topics(settings)
    fire_events(settings, 100)
    with WorkerProcess(settings, "w0", plant=Planted(first, count, times=-1)) as worker:
        assert worker.join() == ExitCode.SKIPPED

        assert f"partition 0, offset {first}" in worker.log_text()
    assert len(read_topic(settings, names.commands)) <= max(first - 1, 0)
