"""Decides one partition's part of a batch. In a worker, this module alone calls `core.apply`.

Each session of the batch is written once, after the last of its events. If a row or an output would be too large for
its topic, the session's events are decided again one by one, and the events that cause it become dead letters.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from triggers.agent.turns.dead_letters import BatchLetters, Refusal
from triggers.agent.turns.decision_feed import DecisionFeed
from triggers.agent.turns.decision_records import DecisionRecords, QueueTopics
from triggers.agent.turns.decision_traces import DecisionTracer
from triggers.agent.turns.index_reach import IndexReach
from triggers.agent.turns.overlay import Overlay, Overlays
from triggers.agent.turns.partition_index import IndexUpdate
from triggers.agent.turns.routing import forward_record, is_misplaced, was_forwarded
from triggers.agent.turns.session_cache import SessionCache
from triggers.agent.turns.session_turn import SessionTurn
from triggers.agent.turns.size_limits import SizeLimits, size_of_output, size_of_rows
from triggers.agent.turns.stops import check_not_applied, stop_for_bug
from triggers.codec import EventDecoder, Reason, decode_key
from triggers.core.commands import Outcome, SetTimer
from triggers.core.engine import apply
from triggers.core.events import Event, RulesPublished, TimerFired
from triggers.core.state.plans import Plans
from triggers.core.state.rows import Changes
from triggers.core.state.session import Session
from triggers.errors import CallError, NotFound, TooManyCommands, TryAgain, Undecodable, UnknownRules
from triggers.kafka.installed_topics import InstalledTopics
from triggers.kafka.records import Record, headers_of, key_of, offset_of, timestamp_ms, value_of
from triggers.process.exits import Stop
from triggers.store.batch import Batch, Output
from triggers.telemetry.metrics import Metrics
from triggers.topology import Topology

REFUSALS = (CallError, NotFound)
_STALE: Final = Outcome.STALE
_RULES_PUBLISHED: Final = RulesPublished


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnContext:
    """The parts of the worker that every turn uses."""

    names: Topology
    topics: InstalledTopics
    decoder: EventDecoder
    plans: Plans
    cache: SessionCache
    rows: Overlays
    metrics: Metrics
    queues: QueueTopics
    feed: DecisionFeed | None = None
    """The decision feed, or None if decisions are not published."""
    tracer: DecisionTracer = field(default_factory=DecisionTracer)


class PartitionTurn:
    """Decides the records of one partition of a batch."""

    def __init__(
        self, context: TurnContext, reach: IndexReach, batch: Batch, partition: int, letters: BatchLetters
    ) -> None:
        self.outcomes: list[Outcome] = []
        self.loaded = 0
        """Number of sessions that were not in the cache."""
        self.decided = 0
        """Number of records that were decided before the batch was full."""
        self.early: list[tuple[SetTimer, int]] = []
        """Timers whose events the broker appended before they were due, and by how many milliseconds."""
        self._context = context
        self._reach = reach
        self._batch = batch
        self._partition = partition
        self._letters = letters
        self._rows = context.rows.for_partition(partition)
        self._limits = SizeLimits(context.names, context.topics)
        self._records = DecisionRecords(context.names, self._limits, context.queues, letters, context.feed)
        self.index = IndexUpdate()
        self._changes: Changes = {}
        self._has_published = False
        """True if rules were published, which the sessions of the next turn see."""

    def run(self, records: list[Record]) -> Changes:
        """Decides the records and returns the partition's changed rows. Outputs are added to the batch.

        A record that publishes rules has a turn of its own, so that no session of a turn is decided, or
        decided again, by rules that were published after its event.
        """
        if self._batch.is_full:
            return self._changes
        session_turns: dict[bytes | None, SessionTurn] = {}
        start = self._reach.extend(self._partition, is_idle=False)
        self.index.until = start.until
        self._changes.update(start.changes)
        for record in records:
            key = key_of(record)
            if self._batch.is_full or self._has_published or (not key and self.decided and self._publication(record)):
                break
            self.decided += 1
            try:
                self._handle(record, key, session_turns)
            except (Stop, TryAgain):
                raise
            except Exception as error:
                raise stop_for_bug(record, error) from error
        for session_turn in session_turns.values():
            self._write_session(session_turn)
        self._changes.update(self.index.changes(self._rows, self._changes))
        return self._changes

    def _handle(self, record: Record, key: bytes | None, session_turns: dict[bytes | None, SessionTurn]) -> None:
        session_turn = session_turns.get(key)
        if session_turn is None:
            session_turn = self._begin_session(record, key)
            if session_turn is None:
                return
            session_turns[key] = session_turn
        self._apply_record(session_turn, record)

    def _begin_session(self, record: Record, raw_key: bytes | None) -> SessionTurn | None:
        """Begins the turn of a record's session, which comes from the cache or from its rows.

        Returns None if the record is done: it published rules, was forwarded, or became a dead letter.
        """
        if not raw_key and self._publish(record):
            return None
        key = raw_key or b""
        session = self._context.cache.take(self._partition, key)
        if session is not None:
            return SessionTurn(session.uid, key, session)
        try:
            uid = decode_key(raw_key)
            if is_misplaced(record, key, self._context.topics.partitions):
                self._forward(record, key)
                return None
        except Undecodable as error:
            self._dead_letter(record, error.reason, error.detail)
            return None
        return SessionTurn(uid, key, self._load_session(uid, record))

    def _publication(self, record: Record) -> RulesPublished | None:
        """Returns the rules that a record without a key publishes, or None if it publishes none."""
        try:
            event = self._decode(record)
        except Undecodable:
            return None
        return event if isinstance(event, RulesPublished) else None

    def _publish(self, record: Record) -> bool:
        """Adds published rules to the partition. Returns False if the record does not publish any."""
        event = self._publication(record)
        if event is None:
            return False
        self._has_published = True
        try:
            changes = self._context.plans.publish(event, self._rows)
        except CallError as error:
            self._dead_letter(record, type(error).__name__, str(error))
            return True
        if excess := self._limits.describe_excess(changes, ()):
            self._dead_letter(record, Refusal.DECISION_TOO_LARGE, f"publishing the rules would write {excess}")
            return True
        self._changes.update(changes)
        self._context.cache.forget_catalogs(self._partition)
        self.outcomes.append(Outcome.APPLIED if changes else Outcome.UNUSED)
        return True

    def _load_session(self, uid: str, record: Record) -> Session:
        self.loaded += 1
        session = Session(uid, self._rows, self._context.plans)
        check_not_applied(session, record)
        return session

    def _forward(self, record: Record, key: bytes) -> None:
        names, topics = self._context.names, self._context.topics
        output = forward_record(record, key, names.events, topics.partitions)
        if was_forwarded(record) or size_of_output(output) > topics.limit_of(names.events):
            self._dead_letter(record, Refusal.WRONG_PARTITION, f"its key belongs to partition {output.partition}")
        else:
            self._context.metrics.forwarded.inc()
            self._batch.outputs.append(output)

    def _apply_record(self, session_turn: SessionTurn, record: Record) -> None:
        try:
            event = self._decode(record)
        except Undecodable as error:
            self._dead_letter(record, error.reason, error.detail)
            return
        if type(event) is _RULES_PUBLISHED:
            self._dead_letter(record, Reason.BAD_KEY, "rules are published without a key: use `triggers rules publish`")
            return
        try:
            if not session_turn.must_redo:
                self._apply(session_turn, record, event)
        except TooManyCommands:
            session_turn.must_redo = True
            self._batch.take_no_more()  # because the session's events are decided again, one by one
        except REFUSALS as error:
            self._refuse(session_turn, record, event, error)
            return
        session_turn.applied.append((record, event))

    def _apply(self, session_turn: SessionTurn, record: Record, event: Event) -> None:
        decision = apply(session_turn.session, event)
        traced = None
        if event.trace is not None or session_turn.session.spans:
            traced = self._context.tracer.trace(session_turn.uid, record, event, decision)
        if self._records.are_caused_by(decision):
            outputs = self._records.encode(session_turn.session, session_turn.key, record, event, decision, traced)
            size = 0
            for output in outputs:
                size += size_of_output(output)
            session_turn.outputs += outputs
            session_turn.output_bytes += size
            self._batch.output_bytes += size
        if traced is not None and traced.spans:
            session_turn.spans += traced.spans
        if decision.failures:
            self._context.metrics.expression_failures.inc(len(decision.failures))
        session_turn.outcomes.append(decision.outcome)
        if decision.outcome is _STALE and isinstance(event, TimerFired):
            self._collect_if_early(session_turn.uid, event)

    def _collect_if_early(self, uid: str, event: TimerFired) -> None:
        early_ms = event.due - (event.recorded or event.time)
        if early_ms > 0:
            timer = SetTimer(
                session=uid, instance=event.instance, attempt=event.attempt, due=event.due, kind=event.kind
            )
            self.early.append((timer, early_ms))

    def _decode(self, record: Record) -> Event:
        return self._context.decoder.decode(
            value_of(record), headers_of(record), offset_of(record), timestamp_ms(record)
        )

    def _write_session(self, session_turn: SessionTurn) -> None:
        changes = {} if session_turn.must_redo else session_turn.session.changes()
        if session_turn.must_redo or self._is_too_large(changes, session_turn):
            self._decide_one_by_one(session_turn)
            return
        self._stage(changes, session_turn.outputs, session_turn.session)
        self._batch.spans += session_turn.spans
        self.outcomes += session_turn.outcomes
        self._context.cache.put(self._partition, session_turn.key, session_turn.session)

    def _is_too_large(self, changes: Changes, session_turn: SessionTurn) -> bool:
        """Returns whether a row or an output is too large. A sum within the limit saves looking at each of them."""
        if size_of_rows(changes) + session_turn.output_bytes <= self._limits.smallest:
            return False
        return bool(self._limits.describe_excess(changes, session_turn.outputs))

    def _stage(self, changes: Changes, outputs: list[Output], session: Session) -> None:
        self._changes.update(changes)
        if session.moved:
            self.index.add(session.uid, session.moved)
        self._batch.outputs += outputs

    def _decide_one_by_one(self, session_turn: SessionTurn) -> None:
        rows = Overlay(self._rows)
        for record, event in session_turn.applied:
            session = Session(session_turn.uid, rows, self._context.plans)
            try:
                decision = apply(session, event)
            except TooManyCommands as error:
                self._dead_letter(record, Refusal.DECISION_TOO_LARGE, str(error))
                continue
            except REFUSALS as error:  # the event relied on one that became a dead letter
                self._dead_letter(record, _reason_of(error), str(error))
                continue
            changes = session.changes()
            traced = self._context.tracer.trace(session_turn.uid, record, event, decision)
            outputs = self._records.encode(session, session_turn.key, record, event, decision, traced)
            if excess := self._limits.describe_excess(changes, outputs):
                self._dead_letter(record, Refusal.DECISION_TOO_LARGE, f"applying it would write {excess}")
            else:
                rows.write(changes)
                self._stage(changes, outputs, session)
                self._batch.spans += [] if traced is None else traced.spans
                self.outcomes.append(decision.outcome)

    def _refuse(self, session_turn: SessionTurn, record: Record, event: Event, error: CallError | NotFound) -> None:
        self._dead_letter(record, _reason_of(error), str(error))
        session_turn.spans += self._context.tracer.trace_refused(session_turn.uid, record, event, str(error))

    def _dead_letter(self, record: Record, reason: str, detail: str) -> None:
        self._batch.outputs.append(self._letters.encode_letter(record, reason, detail))


def _reason_of(error: CallError | NotFound) -> str:
    return Refusal.UNKNOWN_RULES if isinstance(error, UnknownRules) else type(error).__name__
