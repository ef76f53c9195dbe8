"""Encodes the records that decisions cause: commands, and records of the decision feed.

A command whose queue has no topic cannot be delivered. Its attempt fails by a `TaskFailed` record on the events topic,
in the same transaction. So the failure is on the log like any other result, and whoever reads the log again decides the
same, whatever topics exist by then (docs/decisions/0022-queues.md).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Protocol

import msgspec

from triggers.agent.decision_feed import DecisionFeed
from triggers.agent.records import Output
from triggers.agent.routing import size_of
from triggers.codec import encode_command, encode_event
from triggers.core.commands import Decision, RunTask
from triggers.core.events import Event, TaskFailed
from triggers.core.state.rows import Changes
from triggers.core.state.session import Session
from triggers.kafka.installed_topics import InstalledTopics
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
        self, names: Topology, topics: InstalledTopics, queues: QueueTopics, feed: DecisionFeed | None
    ) -> None:
        self._names = names
        self._commands = names.commands
        self._queues = queues
        self._feed = feed
        self._limits = dict(topics.max_record_bytes)
        self.smallest_limit = min(self._limits.values())
        """Maximum size of a record that every topic accepts."""

    @property
    def always(self) -> bool:
        """Returns whether a decision without commands has records, too."""
        return self._feed is not None

    def encode(self, session: Session, key: bytes, partition: int, event: Event, decision: Decision) -> list[Output]:
        """Returns the records of a decision. They contain no timers, because those are rows.

        Raises TryAgain if it is not known yet whether a queue has a topic.
        """
        topic = self._commands
        outputs = [
            Output(topic, key, encode_command(command))
            if command.queue is None
            else self._queued(command, command.queue, key, partition)
            for command in decision.commands
            if isinstance(command, RunTask)
        ]
        return outputs + self._feed.encode_outputs(session, partition, event, decision) if self._feed else outputs

    def too_large(self, changes: Changes, outputs: Iterable[Output]) -> str:
        """Describes the first row or output that exceeds its topic's limit. Returns an empty string if none does."""
        limit = self._limits[self._names.changelog]
        for key, row in changes.items():
            if row is not None and len(key) + len(row) > limit:
                return f"a row of {len(key) + len(row)} bytes, but {self._names.changelog} accepts {limit}"
        for output in outputs:
            if (size := size_of(output)) > (limit := self._limits[output.topic]):
                return f"{self._kind_of(output)} of {size} bytes, but {output.topic} accepts {limit}"
        return ""

    def _queued(self, command: RunTask, queue: str, key: bytes, partition: int) -> Output:
        limit, topic = self._queues.find_limit(queue), self._names.commands_of(queue)
        if limit is None:
            failure = encode_event(_unknown_queue(command, queue, topic), source="worker")
            return Output(self._names.events, key, failure, partition)
        self._limits[topic] = limit
        self.smallest_limit = min(self.smallest_limit, limit)
        return Output(topic, key, encode_command(command))

    def _kind_of(self, output: Output) -> str:
        if output.topic.startswith(self._commands):
            return "a command"
        return "an event" if output.topic == self._names.events else "a decision"


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
    )
