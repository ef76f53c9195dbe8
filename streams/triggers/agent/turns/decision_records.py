"""Encodes the records that decisions cause: commands, their cancellations, `$forward`s, and the decision feed.

A command whose queue has no topic cannot be delivered. Its attempt fails by a `TaskFailed` record on the events topic,
in the same transaction. So the failure is on the log like any other result, and whoever reads the log again decides the
same, whatever topics exist by then (docs/decisions/0022-queues.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

import msgspec

from triggers.agent.turns.dead_letters import BatchLetters
from triggers.agent.turns.decision_feed import DecisionFeed
from triggers.agent.turns.decision_traces import TracedDecision
from triggers.agent.turns.forwards import MAX_FORWARDS, count_forwards, encode_forward
from triggers.agent.turns.size_limits import SizeLimits
from triggers.codec import encode_cancellation, encode_command, encode_event
from triggers.core.commands import CancelTask, ForwardTrigger, RunTask
from triggers.core.decision import Decision
from triggers.core.events import Event, TaskFailed
from triggers.core.state.session import Session
from triggers.kafka.records import Record, or_minus_one
from triggers.store.batch import Output
from triggers.topology import Topology

UNKNOWN_QUEUE: Final = "triggers.UnknownQueue"
"""`exceptionType` of an instance whose queue has no topic."""

_json: Final = msgspec.json.Encoder().encode


class QueueTopics(Protocol):
    """Knows which queues have a topic of commands."""

    def find_limit(self, queue: str) -> int | None:
        """Returns the maximum size of a record of the queue's topic, or None if the queue has no topic.

        Called for each command of a queue, so known answers must be fast. May block. Raises TryAgain if it is not known
        yet.
        """

    def forget(self) -> None:
        """Drops everything remembered, because a transaction was refused."""


class DecisionRecords:
    """Encodes the records of the decisions of one turn."""

    def __init__(
        self,
        names: Topology,
        limits: SizeLimits,
        queues: QueueTopics,
        letters: BatchLetters,
        feed: DecisionFeed | None,
    ) -> None:
        self._names = names
        self._letters = letters
        self._commands = names.commands
        self._queues = queues
        self._feed = feed
        self._limits = limits

    def are_caused_by(self, decision: Decision) -> bool:
        """Returns whether a decision may have records."""
        return bool(decision.commands or decision.cancels or decision.forwards or self._feed is not None)

    def encode(  # noqa: PLR0917  # compiled code passes positional arguments fastest
        self,
        session: Session,
        key: bytes,
        record: Record,
        event: Event,
        decision: Decision,
        traced: TracedDecision | None,
    ) -> list[Output]:
        """Returns the records of the decision of a record's event. They contain no timers, because those are rows.

        `key` is the record's key, which the caller has read already. `traced` gives the records their traces.

        Raises TryAgain if it is not known yet whether a queue has a topic.
        """
        topic = self._commands
        outputs = [
            Output(
                topic,
                key,
                encode_command(command),
                -1,
                None if traced is None else traced.command_headers(command, topic),
            )
            if command.queue is None
            else self._queued(command, command.queue, key, record, traced)
            for command in decision.commands
            if isinstance(command, RunTask)
        ]
        if decision.cancels:
            outputs += self._cancellations(key, decision.cancels, traced)
        if decision.forwards:
            outputs += self._forwards(record, decision.forwards, traced)
        if self._feed is not None:
            outputs += self._feed.encode_outputs(session, or_minus_one(record.partition()), event, decision, traced)
        return outputs

    def _queued(
        self, command: RunTask, queue: str, key: bytes, record: Record, traced: TracedDecision | None
    ) -> Output:
        topic = self._find_topic(queue)
        headers = None if traced is None else traced.command_headers(command, topic or self._names.events)
        if topic is not None:
            return Output(topic, key, encode_command(command), -1, headers)
        failure = encode_event(_unknown_queue(command, queue, self._names.commands_of(queue)), source="worker")
        return Output(self._names.events, key, failure, or_minus_one(record.partition()), headers)

    def _cancellations(self, key: bytes, cancels: Sequence[CancelTask], traced: TracedDecision | None) -> list[Output]:
        """Returns the records that follow the commands. A queue that has no topic has no command to cancel."""
        return [
            Output(
                self._names.commands_of(cancel.queue),
                key,
                encode_cancellation(cancel),
                -1,
                None if traced is None else traced.headers,
            )
            for cancel in cancels
            if cancel.queue is None or self._find_topic(cancel.queue)
        ]

    def _forwards(
        self, record: Record, forwards: Sequence[ForwardTrigger], traced: TracedDecision | None
    ) -> list[Output]:
        """Returns the events that `$forward` fires, or their dead letters if too many `$forward`s led to the record."""
        count = count_forwards(record) + 1
        topic = self._names.events
        outputs = [
            encode_forward(forward, topic, count, () if traced is None else traced.forward_headers(forward, topic))
            for forward in forwards
        ]
        if count <= MAX_FORWARDS:
            return outputs
        detail = (
            f"{MAX_FORWARDS} `$forward`s in a row led to the event that caused this one: if the rules form a cycle,"
            " remove a `$forward` from it"
        )
        return [self._letters.encode_forward(record, output, detail) for output in outputs]

    def _find_topic(self, queue: str) -> str | None:
        """Returns the topic of a queue, or None if it has none. `SizeLimits` learns the limit of its records."""
        limit = self._queues.find_limit(queue)
        if limit is None:
            return None
        topic = self._names.commands_of(queue)
        self._limits.add_topic(topic, limit)
        return topic


def _unknown_queue(command: RunTask, queue: str, topic: str) -> TaskFailed:
    text = (
        f"there is no topic {topic}, or the worker may not see it: run `triggers topics create --queue {queue}`, then"
        f" `triggers replay` for this instance"
    )
    return TaskFailed(
        instance=command.instance,
        attempt=command.attempt,
        exception_type=UNKNOWN_QUEUE,
        exception_context=_json({"queue": queue, "topic": topic}),
        exception_info=text,
        exception_message=text,
    )
