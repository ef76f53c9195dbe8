"""A publisher whose broker does not answer: it blocks nobody, bounds what waits, and does not give up."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator

import pytest
from tests.support.topic_reader import wait_until

from triggers.celery.batching_publisher import BatchingPublisher
from triggers.celery.reports import encode_report
from triggers.results.result_events import CommandName, finished_event, started_event
from triggers.settings import Settings

NAME = CommandName(session="s1", instance="t_x#0", attempt=1)
STARTED = encode_report(NAME, started_event(NAME))
FINISHED = encode_report(NAME, finished_event(NAME, {}, 0, 1000))


@pytest.fixture
def publisher() -> Iterator[BatchingPublisher]:
    settings = Settings(brokers="127.0.0.1:1", namespace="ns", publish_timeout_s=0.3)
    publisher = BatchingPublisher(settings, on_death=lambda: None)
    publisher.start()
    yield publisher
    publisher.close(0)


def test_nothing_is_called_delivered_and_there_is_room_for_a_limited_number_of_commands(
    publisher: BatchingPublisher,
) -> None:
    delivered = threading.Event()

    for _ in range(200):
        assert publisher.has_room
        publisher.publish([FINISHED], delivered.set)

    assert not publisher.has_room
    assert not publisher.wait_until_delivered(0.05)
    assert not delivered.is_set()


def test_there_is_room_for_a_limited_number_of_bytes(publisher: BatchingPublisher) -> None:
    large = FINISHED._replace(value=b"x" * 1_000_000)

    for _ in range(64):
        assert publisher.has_room
        publisher.publish([large], lambda: None)

    assert not publisher.has_room


def test_waiting_for_nothing_returns_at_once(publisher: BatchingPublisher) -> None:
    assert publisher.wait_until_delivered(30)


def test_a_result_that_timed_out_waits_for_its_repetition(
    publisher: BatchingPublisher, caplog: pytest.LogCaptureFixture
) -> None:
    delivered = threading.Event()

    publisher.publish([FINISHED], delivered.set)

    wait_until(lambda: "a result could not be published yet; trying again" in caplog.text, "it has timed out")
    assert not publisher.wait_until_delivered(0)
    assert not delivered.is_set()


def test_nobody_waits_for_a_start(publisher: BatchingPublisher) -> None:
    publisher.announce_start(STARTED)

    assert publisher.wait_until_delivered(0)
    assert publisher.has_room


def test_a_signal_handler_may_publish_while_it_interrupts_the_publishing(publisher: BatchingPublisher) -> None:
    """Celery handles the last outcomes of a cold shutdown in the handler of SIGQUIT."""
    interruptions = 0

    def publish_more(*_: object) -> None:
        nonlocal interruptions
        interruptions += 1
        publisher.announce_start(STARTED)
        publisher.publish([FINISHED], lambda: None)

    before = signal.signal(signal.SIGALRM, publish_more)
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
    try:
        while interruptions < 50:
            publisher.announce_start(STARTED)
            publisher.publish([FINISHED], lambda: None)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

    assert not publisher.has_room
