"""The agent turns the records of a batch into changed rows, commands and dead letters."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Final

import structlog

from triggers.agent.turns.dead_letters import BatchLetters
from triggers.agent.turns.index_reach import IndexReach
from triggers.agent.turns.partition_turn import PartitionTurn, TurnContext
from triggers.agent.turns.timers import Timers
from triggers.codec import read_trace
from triggers.core.commands import Outcome
from triggers.core.state.rows import first_due_among
from triggers.kafka.installed_topics import InstalledTopics
from triggers.store.batch import Batch, Output
from triggers.telemetry.logs import trace_fields
from triggers.telemetry.metrics import Metrics
from triggers.telemetry.spans import SpanSink

log = structlog.get_logger(__name__)

_SHOWN_CHARACTERS = 300
_APPLIED: Final = Outcome.APPLIED


class Agent:
    """The pump's `Processor`: decides batches with the core."""

    def __init__(self, context: TurnContext, timers: Timers, metrics: Metrics, spans: SpanSink | None = None) -> None:
        """`spans` exports the spans of decisions; None if nobody does."""
        self._context = context
        self._timers = timers
        self._reach = IndexReach(context.rows)
        self._metrics = metrics
        self._spans = spans
        self._commands = context.names.commands
        self._decisions = context.names.decisions
        self._letters = context.names.dead_letters

    def use_topics(self, topics: InstalledTopics) -> None:
        """Decides later batches by the limits of these topics."""
        self._context = replace(self._context, topics=topics)

    def process(self, batch: Batch) -> None:
        """Fills the batch. Raises TryAgain if no schema registry answers; the batch must be decided later then."""
        letters = BatchLetters(self._letters, self._context.topics.limit_of(self._letters))
        outcomes: Counter[Outcome] = Counter()
        failures: Counter[tuple[str, str]] = Counter()
        first_output, rows = len(batch.outputs), 0
        first_due: dict[int, int] = {}
        with self._metrics.decide_seconds.time():
            for partition, records in batch.records.items():
                turn = PartitionTurn(self._context, self._reach, batch, partition, letters)
                changes = turn.run(records)
                batch.add_rows(partition, changes)
                rows += len(changes)
                first_due[partition] = first_due_among(changes)
                batch.truncate(partition, turn.decided)
                _count_outcomes(outcomes, turn.outcomes)
                if turn.index.new_failures:
                    failures.update(turn.index.new_failures)
                for timer, early_ms in turn.early:
                    self._timers.postpone(partition, timer, early_ms)
                self._metrics.loaded_sessions.inc(turn.loaded)
            if not batch.records:
                rows += self._extend_indexes(batch)
            batch.outputs += self._timers.publish_due(batch)
            self._timers.expect(first_due)  # the rows do not have the timers of this batch yet
        batch.is_awaited = any(output.topic != self._decisions for output in batch.outputs)
        self._context.rows.replace_changes(batch.rows)
        self._context.cache.trim()
        self._metrics.rows.inc(rows)
        self._count(batch.outputs[first_output:], letters, outcomes)
        if letters.first:
            self._log_letters(letters)
        self._metrics.failures.count(failures)

    def _extend_indexes(self, batch: Batch) -> int:
        """Uses an idle batch to add sessions of an earlier release to the index of a partition, one at a time.

        Returns the number of changed rows.
        """
        for partition in sorted(batch.ready):
            if changes := self._reach.extend(partition, is_idle=True).changes:
                batch.add_rows(partition, changes)
                return len(changes)
        return 0

    def forget(self, partitions: frozenset[int] | None = None) -> None:
        self._context.cache.forget(partitions)
        self._context.rows.forget(partitions)
        self._reach.forget(partitions)
        if partitions is None:
            self._context.queues.forget()
        self._timers.forget(partitions)

    def export_spans(self, batch: Batch) -> None:
        if self._spans is not None:
            self._spans.export(batch.spans)

    def _log_letters(self, letters: BatchLetters) -> None:
        """Logs the dead letters of a batch. If the batch is aborted, they are logged again with the next attempt."""
        for letter in letters.first:
            log.warning(
                "a record becomes a dead letter",
                reason=str(letter.reason),
                detail=letter.detail[:_SHOWN_CHARACTERS],
                session=(letter.key or b"").decode(errors="replace")[:_SHOWN_CHARACTERS],
                topic=letter.topic,
                partition=letter.partition,
                offset=letter.offset,
                **({} if (trace := read_trace(letter.headers)) is None else trace_fields(trace)),
            )
        if (more := sum(letters.reasons.values()) - len(letters.first)) > 0:
            log.warning("more records of the batch become dead letters", letters=more, reasons=dict(letters.reasons))

    def _count(self, outputs: list[Output], letters: BatchLetters, outcomes: Counter[Outcome]) -> None:
        for outcome, number in outcomes.items():
            self._metrics.events.labels(outcome.value).inc(number)
        for reason, number in letters.reasons.items():
            self._metrics.dead_letters.labels(reason).inc(number)
        self._metrics.commands.inc(sum([output.topic.startswith(self._commands) for output in outputs]))
        self._metrics.cached_sessions.set(len(self._context.cache))


def _count_outcomes(counted: Counter[Outcome], outcomes: list[Outcome]) -> None:
    """Adds outcomes, nearly all of which are `applied`. Those are counted by identity, without a look-up for each."""
    applied = outcomes.count(_APPLIED)
    if applied:
        counted[_APPLIED] += applied
    if applied < len(outcomes):
        counted.update(outcome for outcome in outcomes if outcome is not _APPLIED)
