"""The agent turns the records of a batch into changed rows, commands and dead letters."""

from __future__ import annotations

from collections import Counter
from typing import Protocol

from triggers.agent.batch import Batch
from triggers.agent.dead_letters import DeadLetters
from triggers.agent.partition_turn import PartitionTurn, TurnContext
from triggers.agent.records import Output
from triggers.core.commands import Outcome
from triggers.telemetry.metrics import Metrics


class DueOutputs(Protocol):
    """Produces records that are due at certain times, such as events of timers."""

    def due(self, batch: Batch) -> list[Output]:
        """Returns the records that are due now in the batch's ready partitions. Called once per batch; must be fast."""

    def forget(self, partitions: frozenset[int] | None = None) -> None:
        """Drops everything remembered about these partitions, or about all if None."""


class Agent:
    """The pump's `Processor`: decides batches with the core."""

    def __init__(self, context: TurnContext, timers: DueOutputs, metrics: Metrics) -> None:
        self._context = context
        self._timers = timers
        self._metrics = metrics
        self._commands = context.names.commands
        self._letters = context.names.dead_letters
        self._letter_bytes = context.topics.limit_of(self._letters)

    def process(self, batch: Batch) -> None:
        """Fills the batch. Raises TryAgain if no schema registry answers; the batch must be decided later then."""
        letters = DeadLetters(self._letters, self._letter_bytes)
        outcomes: Counter[Outcome] = Counter()
        with self._metrics.decide_seconds.time():
            for partition, records in batch.records.items():
                turn = PartitionTurn(self._context, batch, partition, letters)
                batch.rows[partition] = turn.run(records)
                batch.truncate(partition, turn.decided)
                outcomes.update(turn.outcomes)
                self._metrics.loaded_sessions.inc(turn.loaded)
            batch.outputs += self._timers.due(batch)
        self._context.rows.replace_changes(batch.rows)
        self._context.cache.trim()
        self._count(batch, letters, outcomes)

    def forget(self, partitions: frozenset[int] | None = None) -> None:
        self._context.cache.forget(partitions)
        self._context.rows.forget(partitions)
        self._timers.forget(partitions)

    def _count(self, batch: Batch, letters: DeadLetters, outcomes: Counter[Outcome]) -> None:
        for outcome, number in outcomes.items():
            self._metrics.events.labels(outcome.value).inc(number)
        for reason, number in letters.reasons.items():
            self._metrics.dead_letters.labels(reason).inc(number)
        self._metrics.commands.inc(sum([output.topic == self._commands for output in batch.outputs]))
        self._metrics.rows.inc(sum(map(len, batch.rows.values())))
        self._metrics.cached_sessions.set(len(self._context.cache))
