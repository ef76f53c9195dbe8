"""`Screening`: decides which commands are not run, and reports each of them, so that none is lost or repeated."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Sequence
from typing import Any, Final, cast

from billiard.exceptions import WorkerLostError
from celery.exceptions import NotRegistered

from triggers.celery.command_headers import command_name
from triggers.celery.command_source import Delivery
from triggers.celery.command_traces import trace_of_delivery
from triggers.celery.result_publisher import ResultPublisher
from triggers.codec import DeadLetter, decode_command_or_cancellation, encode_key
from triggers.codec.json_payloads import check_payload
from triggers.core.commands import CancelTask, RunTask
from triggers.core.events import with_trace
from triggers.errors import CallError, NotFound, Undecodable
from triggers.kafka.letters import letter_of
from triggers.kafka.records import Record
from triggers.results.result_events import failed_event
from triggers.topology import Queue, queue_title

RUNNER: Final = "celery"
"""The only task runner of the stream, which is also the default."""
_SHOWN_TASKS: Final = 20
_BAD_SESSION: Final = "bad session"


class RunnerNotFound(NotFound):
    """The rule names a task runner that cannot run commands."""


class Screening:
    """Decides for each command whether it is run, and reports those that are not."""

    def __init__(
        self,
        publisher: ResultPublisher,
        tasks: Collection[str] | None,
        queues: Sequence[Queue] = (None,),
        misrouted: Callable[[RunTask], Exception | None] = lambda _: None,
    ) -> None:
        """`tasks` are the names of the registered tasks. None does not check whether a task is registered.

        `queues` are those of this process. `misrouted` returns the exception of a command that belongs to another one.
        """
        self._publisher = publisher
        self._tasks = tasks
        self._queues = queues
        self._misrouted = misrouted
        self._max_losses = max(1, publisher.settings.celery_max_deliveries - 1)

    def screen(self, delivery: Delivery) -> RunTask | CancelTask | None:
        """Returns the command to run, or the cancellation of one.

        Returns None if the command is reported as failed or as a dead letter and must be settled.

        Blocks until the report is on Kafka.
        """
        try:
            command = _decode(delivery)
        except (Undecodable, CallError) as error:
            self._publisher.publish_dead_letter(_dead_letter(delivery, error))
            return None
        if isinstance(command, CancelTask):
            return command
        refusal = self._refuse(command, delivery)
        if refusal is None:
            return command
        name, limit = command_name(command), self._publisher.settings.max_payload_bytes
        failure = failed_event(name, refusal, max_payload_bytes=limit)
        self._publisher.publish(name, with_trace(failure, trace_of_delivery(delivery)))
        return None

    def _refuse(self, command: RunTask, delivery: Delivery) -> Any:
        """Returns the exception with which the command fails, or None.

        The ledger counts only runs as a suspect, so the first run, before it was a suspect, is added.
        """
        if delivery.counted_runs >= self._max_losses:
            return WorkerLostError(f"worker lost {delivery.counted_runs + 1} times while running {command.run}")
        if command.using not in {None, RUNNER}:
            return RunnerNotFound(
                f"task runner {command.using!r} cannot run commands: the stream supports only {RUNNER!r}"
            )
        if self._tasks is not None and command.run not in self._tasks:
            return NotRegistered(_describe_unregistered(command.run, self._tasks, self._queues))
        return self._misrouted(command)


def _decode(delivery: Delivery) -> RunTask | CancelTask:
    command = decode_command_or_cancellation(delivery.message.value())
    encode_key(command.session)
    if isinstance(command, RunTask):
        check_payload(command.kwargs, "kwargs")
    return command


def _describe_unregistered(name: str, tasks: Collection[str], queues: Sequence[Queue]) -> str:
    names = sorted(task for task in tasks if not task.startswith("celery."))
    similar = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {similar[0]!r}?" if similar else "is its module imported, or does it belong to another queue?"
    shown = [*names[:_SHOWN_TASKS], *(["…"] if len(names) > _SHOWN_TASKS else [])]
    return (
        f"{name!r} is not registered with this Celery app; {hint}"
        f" This worker takes the queues {', '.join(map(queue_title, queues))}"
        f" and has {len(names)} tasks: {', '.join(shown)}"
    )


def _dead_letter(delivery: Delivery, error: Undecodable | CallError) -> DeadLetter:
    reason, detail = (error.reason, error.detail) if isinstance(error, Undecodable) else (_BAD_SESSION, str(error))
    return letter_of(cast("Record", delivery.message), reason, detail)
