"""A command's trace leads into Celery's message, around the task's body and on to its result."""

from __future__ import annotations

from typing import Any

import pytest
from celery import current_task
from confluent_kafka import Message
from tests.support.command_runs import CommandRuns

from triggers.celery.command_source import Delivery
from triggers.celery.command_traces import message_headers, trace_of_delivery
from triggers.celery.ledger import Ledger
from triggers.core.commands import RunTask
from triggers.core.events import Event, TaskFailed, TaskFinished
from triggers.core.trace_context import SPAN_BYTES, TraceContext
from triggers.kafka.records import Header
from triggers.telemetry.current_trace import current_trace, follow

COMMAND = RunTask(session="s1", instance="t_x#0", attempt=1, run="app.x")
TRACE = TraceContext(bytes(range(1, SPAN_BYTES + 1)), 1, b"vendor=1")
HEADERS: list[Header] = [
    ("traceparent", b"00-0102030405060708090a0b0c0d0e0f10-1112131415161718-01"),
    ("tracestate", b"vendor=1"),
]


def delivery_of(headers: list[Header] | None) -> Delivery:
    message = Message(topic="t", partition=0, offset=0, headers=None if headers is None else list(headers))
    return Delivery(Ledger(), message, 0, 0, 1)


def runs_of(body: Any, *, has_broker: bool = False) -> CommandRuns:  # noqa: ANN401  # a task's body may be any function
    runs = CommandRuns(has_broker=has_broker)
    runs.app.task(body, name="app.x", max_retries=1, shared=False)
    return runs


def test_the_headers_of_a_record_become_those_of_the_message() -> None:
    assert trace_of_delivery(delivery_of(HEADERS)) == TRACE
    assert message_headers(delivery_of(HEADERS)) == {name: (value or b"").decode() for name, value in HEADERS}


@pytest.mark.parametrize("headers", [None, [], [("traceparent", b"\xff")], [("other", None)]])
def test_a_record_without_a_valid_context_adds_no_header(headers: list[Header] | None) -> None:
    assert message_headers(delivery_of(headers)) == {}


def test_the_body_of_a_task_and_its_result_belong_to_the_trace_of_the_command() -> None:
    seen: list[TraceContext | None] = []

    def look() -> None:
        seen.append(current_trace())

    runs = runs_of(look)

    runs.run(COMMAND, headers=HEADERS)

    (finished,) = runs.events
    assert isinstance(finished, TaskFinished)
    assert (seen, finished.trace) == ([TRACE], TRACE)
    assert current_trace() is None


def test_a_failure_belongs_to_the_trace_of_the_command() -> None:
    def fail() -> None:
        raise ValueError

    runs = runs_of(fail)

    runs.run(COMMAND, headers=HEADERS)

    (failed,) = runs.events
    assert isinstance(failed, TaskFailed)
    assert failed.trace == TRACE


def test_the_loss_of_a_pool_child_belongs_to_the_trace_of_the_command() -> None:
    def pass_by() -> None:
        """Its child is lost before it comes to that."""

    runs = runs_of(pass_by)

    runs.lose(COMMAND, ValueError("gone"), headers=HEADERS)

    assert [event.trace for event in runs.events] == [TRACE]


def test_a_command_without_a_trace_runs_without_one_after_one_that_had_one() -> None:
    seen: list[TraceContext | None] = []

    def look() -> None:
        seen.append(current_trace())

    runs = runs_of(look)

    runs.run(COMMAND, headers=HEADERS)
    runs.run(RunTask(session="s1", instance="t_x#1", attempt=1, run="app.x"))

    assert seen == [TRACE, None]
    assert [event.trace for event in runs.events] == [TRACE, None]


def test_a_run_that_was_never_ended_leaves_no_trace_to_the_next_one() -> None:
    """Celery sends no signal at the end of a run that leaves its tracer by an exception, such as MemoryError."""
    seen: list[TraceContext | None] = []

    def look() -> None:
        seen.append(current_trace())

    runs = runs_of(look)
    follow(TRACE)

    runs.run(COMMAND)

    assert seen == [None]


def test_a_retry_through_the_applications_broker_continues_the_trace() -> None:
    seen: list[TraceContext | None] = []

    def again() -> None:
        seen.append(current_trace())
        if len(seen) == 1:
            raise current_task.retry(countdown=0)

    runs = runs_of(again, has_broker=True)
    runs.run(COMMAND, headers=HEADERS)

    assert runs.run_messages() == ["app.x"]
    assert seen == [TRACE, TRACE]
    assert [trace_of(event) for event in runs.events] == [None, TRACE]


def trace_of(event: Event) -> TraceContext | None:
    return event.trace
