"""A fault campaign counts attempts without a result."""

from __future__ import annotations

from confluent_kafka import Message
from tests.chaos.results import ResultsOfAttempts

from triggers.codec import encode_command, encode_event
from triggers.core.commands import RunTask
from triggers.core.events import TaskFinished
from triggers.settings import Settings


def attempt(number: int) -> Message:
    command = RunTask(session="s1", instance="t#0", attempt=number, run="app.t")
    return Message(topic="commands", key=b"s1", value=encode_command(command))


def result(number: int) -> Message:
    event = TaskFinished(instance="t#0", attempt=number)
    return Message(topic="events", key=b"s1", value=encode_event(event), timestamp=(1, 1_000), offset=number)


def missing(*messages: Message) -> list[str]:
    results = ResultsOfAttempts((m for m in messages if m.topic() == "commands"), Settings().max_payload_bytes)
    for message in messages:
        if message.topic() == "events":
            results.add(message)
    return results.missing


def test_an_attempt_without_a_result_is_missing() -> None:
    assert missing(attempt(1)) == ["s1/t#0/1"]
    assert missing(attempt(1), result(1)) == []


def test_only_the_last_attempt_must_have_a_result() -> None:
    assert missing(attempt(1), attempt(2), result(2)) == []
    assert missing(attempt(1), attempt(2), result(1)) == ["s1/t#0/2"]
