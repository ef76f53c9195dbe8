"""Results from the main process of a Celery worker: in order, repeated until they are on Kafka, never dropped."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from hashlib import sha256

import pytest
from tests.support.commands import read_events, read_results
from tests.support.topic_reader import wait_until
from tests.support.topic_setup import create_topics

from triggers.celery.batching_publisher import BatchingPublisher
from triggers.celery.reports import Report, encode_report
from triggers.core.events import TaskEvent, TaskFailed, TaskFinished, TaskStarted
from triggers.results.result_events import CommandName, finished_event, started_event
from triggers.settings import Settings
from triggers.topology import Topology

pytestmark = pytest.mark.broker


def name_of(number: int) -> CommandName:
    return CommandName(session=f"s{number}", instance="t_x#0", attempt=1)


def finished(number: int, text: str = "") -> Report:
    name = name_of(number)
    return encode_report(name, finished_event(name, {"text": text}, 0, 900_000))


@contextmanager
def publishing(settings: Settings) -> Iterator[BatchingPublisher]:
    publisher = BatchingPublisher(settings, on_death=lambda: None)
    publisher.start()
    try:
        yield publisher
    finally:
        publisher.close(30)


def test_threads_publish_and_each_start_precedes_its_result(settings: Settings) -> None:
    create_topics(settings)
    delivered: list[int] = []

    def run(numbers: range) -> None:
        for number in numbers:
            publisher.announce_start(encode_report(name_of(number), started_event(name_of(number))))
            publisher.publish([finished(number)], partial(delivered.append, number))

    with publishing(settings) as publisher:
        threads = [threading.Thread(target=run, args=[range(first, first + 500)]) for first in (0, 500, 1000)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert publisher.wait_until_delivered(30)
        assert sorted(delivered) == list(range(1500))

    kinds: dict[str, list[type[TaskEvent]]] = {}
    for session, event in read_events(settings):
        assert isinstance(event, TaskEvent)
        kinds.setdefault(session, []).append(type(event))
    assert kinds == {f"s{number}": [TaskStarted, TaskFinished] for number in range(1500)}


def test_a_result_waits_until_its_topic_exists(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    delivered = threading.Event()

    with publishing(settings) as publisher:
        publisher.publish([finished(1)], delivered.set)
        wait_until(lambda: "a result could not be published yet" in caplog.text, "it is refused")
        assert not delivered.is_set()
        create_topics(settings)
        assert publisher.wait_until_delivered(60)

    assert delivered.is_set()
    assert [type(event) for event in read_results(settings)["s1/t_x#0/1"]] == [TaskFinished]


def test_a_result_that_is_too_large_for_its_topic_becomes_a_failure(settings: Settings) -> None:
    names = Topology(settings.namespace)
    create_topics(settings, limits={names.events: 20_000})
    delivered: list[str] = []

    large = "".join(sha256(b"%d" % n).hexdigest() for n in range(1000))  # it can hardly be compressed

    with publishing(settings) as publisher:
        publisher.publish([finished(1, large)], lambda: delivered.append("large"))
        assert publisher.wait_until_delivered(60)
        publisher.publish([finished(2)], lambda: delivered.append("small"))
        assert publisher.wait_until_delivered(60)

    results = read_results(settings)
    (failed,) = results["s1/t_x#0/1"]
    assert isinstance(failed, TaskFailed)
    assert failed.exception_type == "triggers.errors.TooLarge"
    assert [type(event) for event in results["s2/t_x#0/1"]] == [TaskFinished]
    assert delivered == ["large", "small"]
