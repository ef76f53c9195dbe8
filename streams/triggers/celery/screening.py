"""Which commands are not run at all: each of them is answered here, so that none is lost and none comes back."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from typing import Any, Final, cast

from billiard.exceptions import WorkerLostError
from celery.exceptions import NotRegistered

from triggers.celery.command_headers import command_name
from triggers.celery.command_source import Delivery
from triggers.celery.result_publisher import ResultPublisher
from triggers.codec import DeadLetter, decode_command, encode_key
from triggers.codec.json_payloads import check_payload
from triggers.core.commands import RunTask
from triggers.errors import CallError, NotFound, Undecodable
from triggers.kafka.letters import letter_of
from triggers.kafka.records import Record
from triggers.results.outcomes import failed_event

RUNNER: Final = "celery"
"""The task runner that executes here; also the default one."""
_BAD_SESSION: Final = "bad session"


class RunnerNotFound(NotFound):
    """There is no task runner of that name."""


class Screening:
    """Decides for each command whether it is run, and reports those that are not. Blocks until the report is safe."""

    def __init__(self, publisher: ResultPublisher, tasks: Collection[str] | None) -> None:
        """`tasks`: None leaves the question whether a task is registered to whoever runs it."""
        self._publisher = publisher
        self._tasks = tasks
        self._max_losses = max(1, publisher.settings.celery_max_deliveries - 1)

    def screen(self, delivery: Delivery) -> RunTask | None:
        """The command to run; None: its outcome is on Kafka already, settle it."""
        try:
            command = _decode(delivery)
        except (Undecodable, CallError) as error:
            self._publisher.publish_dead_letter(_dead_letter(delivery, error))
            return None
        refusal = self._refuse(command, delivery)
        if refusal is None:
            return command
        limit = self._publisher.settings.max_payload_bytes
        self._publisher.publish(
            command_name(command), failed_event(command_name(command), refusal, max_payload_bytes=limit)
        )
        return None

    def _refuse(self, command: RunTask, delivery: Delivery) -> Any:
        """Counted are the runs of a suspect; the run before those, in which nobody suspected it, makes one more."""
        if delivery.counted_runs >= self._max_losses:
            return WorkerLostError(f"worker lost {delivery.counted_runs + 1} times while it ran {command.run}")
        if command.using not in {None, RUNNER}:
            return RunnerNotFound(f"there is no task runner {command.using!r} here, only {RUNNER!r}")
        if self._tasks is not None and command.run not in self._tasks:
            return NotRegistered(_describe_unregistered(command.run, self._tasks))
        return None


def _decode(delivery: Delivery) -> RunTask:
    command = decode_command(delivery.message.value())
    encode_key(command.session)
    check_payload(command.kwargs, "kwargs")
    return command


def _describe_unregistered(name: str, tasks: Collection[str]) -> str:
    own = [task for task in tasks if not task.startswith("celery.")]
    near = difflib.get_close_matches(name, own, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"{len(own)} tasks are; is its module imported?"
    return f"{name!r} is not registered with this Celery app; {hint}"


def _dead_letter(delivery: Delivery, error: Undecodable | CallError) -> DeadLetter:
    reason, detail = (error.reason, error.detail) if isinstance(error, Undecodable) else (_BAD_SESSION, str(error))
    return letter_of(cast("Record", delivery.message), reason, detail)
