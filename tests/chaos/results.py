"""Collects the results of each attempt from the events topic."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import cast

import msgspec
from confluent_kafka import Message

from triggers.codec import EventDecoder
from triggers.codec.command_codec import decode_command_or_cancellation
from triggers.core.commands import CancelTask, RunTask
from triggers.core.events import TaskEvent, TaskFailed, TaskFinished, TaskRetried, TaskStarted
from triggers.errors import Undecodable
from triggers.kafka.records import Header

_LOST = "WorkerLostError"
_JSON = b"{"
"""First byte of an application's event. Results are Avro."""


class ResultsOfAttempts:
    """The commands and results of a campaign, which it compares without the core."""

    def __init__(self, commands: Iterable[Message], max_payload_bytes: int) -> None:
        self.commands: dict[str, RunTask] = {}
        """Task id -> command."""
        self.offsets: dict[str, int] = {}
        """Task id -> offset of its command."""
        self.results: defaultdict[str, list[TaskEvent]] = defaultdict(list)
        """Task id -> results, in order."""
        self._decoder = EventDecoder(max_payload_bytes, None)
        self.cancelled: set[str] = set()
        """Ids of attempts that rules have cancelled. They need no result, and may end in any way."""
        for message in commands:
            command = decode_command_or_cancellation(message.value())
            if isinstance(command, CancelTask):
                self.cancelled.add(command.id)
                continue
            self.commands[command.id] = command
            self.offsets[command.id] = message.offset() or 0

    def add(self, message: Message) -> None:
        """Adds a record of the events topic, if it is a result."""
        value = message.value()
        if not value or value.startswith(_JSON):
            return
        headers = cast("list[Header] | None", message.headers())
        try:
            event = self._decoder.decode(value, headers, message.offset() or 0, message.timestamp()[1])
        except Undecodable:
            return
        if isinstance(event, TaskEvent) and not isinstance(event, TaskStarted):
            self.results[f"{(message.key() or b'').decode()}/{event.instance}/{event.attempt}"].append(event)

    @property
    def missing(self) -> list[str]:
        """Commands that have neither a result nor a later attempt, and were not cancelled."""
        given_up = {attempt_before(command) for command in self.commands.values()} | self.cancelled
        return [task_id for task_id in self.commands if task_id not in self.results and task_id not in given_up]

    @property
    def unasked(self) -> list[str]:
        """Results without a command."""
        return [task_id for task_id in self.results if task_id not in self.commands]

    @property
    def surprising(self) -> list[str]:
        """Results other than what the task returns. A cancelled task may end in any way."""
        wanted = self.commands.keys() - self.cancelled
        return [
            f"{task_id}: {result}"
            for task_id, results in self.results.items()
            for result in results
            if task_id in wanted and not _is_planned(self.commands[task_id], result)
        ]

    @property
    def lost_with_their_process(self) -> list[str]:
        """Attempts that were reported as failed because their process died."""
        return [task_id for task_id, results in self.results.items() if _is_lost(results[0])]


def attempt_before(command: RunTask) -> str:
    """Returns the task id of the attempt before. The first attempt's is an id that does not exist."""
    return f"{command.session}/{command.instance}/{command.attempt - 1}"


def _is_lost(result: TaskEvent) -> bool:
    return isinstance(result, TaskFailed) and result.exception_type.endswith(_LOST)


def _is_planned(command: RunTask, result: TaskEvent) -> bool:
    """Returns whether the task ends with this result."""
    if _is_lost(result):
        return True
    kind = command.run.rpartition(".")[2]
    if kind == "fails":
        return isinstance(result, TaskFailed) and result.exception_type == "builtins.ValueError"
    if kind == "flaky":
        return isinstance(result, TaskFailed if command.attempt == 1 else TaskFinished)
    if kind == "Retries":
        return isinstance(result, TaskRetried if command.depth == 0 else TaskFinished)
    triggers = sorted(msgspec.json.decode(command.kwargs, type=dict[str, msgspec.Raw]))
    return isinstance(result, TaskFinished) and msgspec.json.decode(result.result) == {"triggers": triggers}
