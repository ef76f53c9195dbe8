"""No event is skipped by a consumer that leaves out records."""

from __future__ import annotations

from functools import partial
from unittest.mock import patch

import pytest
from confluent_kafka import Consumer, Producer
from tests.support.event_reader import EventReader, open_reader, publish_numbers
from tests.support.fold_oracle import assert_equals_fold
from tests.support.one_session import fire_events
from tests.support.settled import wait_until_processed
from tests.support.skipping_consumer import SkippingConsumer
from tests.support.topic_reader import read_topic, wait_until
from tests.support.topic_setup import create_topics
from tests.support.worker_process import WorkerProcess

from triggers.process.exits import ExitCode, Stop
from triggers.settings import Settings

pytestmark = [pytest.mark.broker, pytest.mark.timeout(180)]


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
    publish_numbers(settings, 100)
    with open_reader(settings) as reader:
        reader.plant(consumer=lambda real: SkippingConsumer(real, first, count, times=1))
        reader.member.join_group()

        assert reader.read_until(99) == list(range(100))
        assert reader.gaps()["skipped"] == 1


@pytest.mark.parametrize(("first", "count"), [(0, 1), (50, 1), (20, 60)])
def test_records_that_are_left_out_every_time_end_the_worker(settings: Settings, first: int, count: int) -> None:
    create_topics(settings)
    publish_numbers(settings, 100)
    with open_reader(settings) as reader:
        reader.plant(consumer=lambda real: SkippingConsumer(real, first, count, times=-1))
        reader.member.join_group()

        stop = refuse_until_it_stops(reader)

        assert stop.code == ExitCode.SKIPPED
        assert f"offset {first}" in stop.why or f"offsets {first} to" in stop.why
        assert all(offset < first for offset in reader.delivered)


def test_offsets_after_markers_are_committed_only_when_no_record_is_left(settings: Settings) -> None:
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


# Whole workers


class Planted:
    """A `plant` for `WorkerProcess`, which can be pickled for another process."""

    def __init__(self, first: int, count: int, times: int) -> None:
        self._new = partial(SkippingConsumer, first=first, count=count, times=times)

    def __call__(self) -> None:
        patch("triggers.agent.consumer.member.Consumer", lambda options: self._new(Consumer(options))).start()


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
