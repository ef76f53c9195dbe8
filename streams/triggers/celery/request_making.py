"""Makes Celery's requests for commands."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from celery.utils.imports import symbol_by_name
from celery.worker.request import Request

from triggers.celery.batching_publisher import BatchingPublisher
from triggers.celery.command_message import message_of
from triggers.celery.command_request import CommandRequest
from triggers.celery.command_source import CommandInHand

if TYPE_CHECKING:
    from triggers.celery.run_metrics import RunMetrics


def _request_class(task: Any) -> type[CommandRequest]:
    """Returns the class of a task's requests. If the task has a `Request` class of its own, its methods are kept."""
    chosen = symbol_by_name(task.Request)
    return CommandRequest if chosen is Request else _combined_class(chosen)


@cache
def _combined_class(chosen: type[Any]) -> type[CommandRequest]:
    return type(f"Command{chosen.__name__}", (CommandRequest, chosen), {})


def request_for(
    in_hand: CommandInHand,
    topic: str,
    consumer: Any,
    publisher: BatchingPublisher,
    *,
    on_ended: Callable[[CommandInHand], None],
    on_reported: Callable[[CommandInHand], None],
    metrics: RunMetrics | None = None,
) -> CommandRequest:
    """Returns the request of a command of a topic. `consumer` is Celery's. `metrics` count its run, unless None.

    The task's `expires` counts from the time of the command's record.
    """
    command = in_hand.command
    task = consumer.app.tasks[command.run]
    message = message_of(in_hand, task, topic)
    return _request_class(task)(
        message,
        command=in_hand,
        publisher=publisher,
        on_ended=on_ended,
        on_reported=on_reported,
        metrics=metrics,
        app=consumer.app,
        hostname=consumer.hostname,
        eventer=consumer.event_dispatcher,
        task=task,
        body=message.body,
        headers=message.headers,
        decoded=True,
    )
