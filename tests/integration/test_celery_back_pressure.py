"""Commands wait on Kafka, not in a Celery worker."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest
from tests.support.commands import issue_commands, make_command
from tests.support.topic_reader import wait_until
from tests.support.topic_setup import create_topics

from triggers.celery import reader as reading
from triggers.celery.reader import Reader
from triggers.celery.result_publisher import ResultPublisher
from triggers.celery.screening import Screening
from triggers.settings import Settings

pytestmark = pytest.mark.broker

PREFETCH = 100
AT_ONCE = 501
"""A poll returns up to this many, even if there is room for fewer."""


@pytest.fixture
def reader(settings: Settings) -> Iterator[Reader]:
    """The thread with which a Celery worker reads commands, without a pool to run them."""
    create_topics(settings)
    careful = msgspec.structs.replace(settings, celery_prefetch=PREFETCH)
    screening = Screening(ResultPublisher(careful), tasks=None)
    reader = Reader(
        careful, screening, capacity=4, wake=lambda: None, await_results=lambda: None, on_death=lambda: None
    )
    yield reader
    reader.request_stop()
    reader.join(30)


def most_in_hand(reader: Reader, commands: int) -> int:
    """Finishes one command after the other. Returns the maximum number that waited in the worker."""
    highest = 0
    for _ in range(commands):
        wait_until(lambda: bool(reader.ready), "another command")
        highest = max(highest, len(reader.ready))
        reader.settle(reader.ready.popleft())
    return highest


def test_a_celery_worker_holds_no_more_commands_than_the_limit(settings: Settings, reader: Reader) -> None:
    issue_commands(settings, [make_command("app.task", f"s{n}", 0) for n in range(5000)])

    reader.start()

    assert most_in_hand(reader, 5000) <= PREFETCH + AT_ONCE


def test_a_celery_worker_holds_no_more_bytes_than_the_limit(
    settings: Settings, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_MAX_BYTES", 100_000)
    large = {"page": {"text": "x" * 20_000}}
    issue_commands(settings, [make_command("app.task", f"s{n}", 0, kwargs=large) for n in range(1000)])

    reader.start()

    assert most_in_hand(reader, 1000) <= 5 + AT_ONCE
