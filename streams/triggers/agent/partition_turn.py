"""One partition's part of a batch. The only place that calls the core.

Each session that the batch touches is written once, after the last of its events. When that would write something too
large for its topic, the session's events are decided again one by one, without the ones that cause it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from triggers.agent.batch import MOST_OUTPUT_BYTES, Batch
from triggers.agent.dead_letters import DeadLetters, Refusal
from triggers.agent.decision_feed import DecisionFeed
from triggers.agent.overlay import Overlay, Overlays
from triggers.agent.records import Output
from triggers.agent.routing import forward, misplaced, size_of, was_forwarded
from triggers.agent.session_cache import SessionCache
from triggers.codec import EventDecoder, decode_key, encode_command
from triggers.core.commands import Decision, Outcome, RunTask
from triggers.core.engine import apply
from triggers.core.events import Event
from triggers.core.state.plans import Plans
from triggers.core.state.rows import Changes
from triggers.core.state.session import Session
from triggers.errors import CallError, NotFound, TooManyCommands, TryAgain, Undecodable
from triggers.kafka.installed_topics import Topics
from triggers.kafka.records import Record, headers_of, place, time_of
from triggers.process.exits import ExitCode, Stop
from triggers.telemetry.metrics import Metrics
from triggers.topology import Topology

Refused = (CallError, NotFound)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What every turn needs."""

    names: Topology
    topics: Topics
    decoder: EventDecoder
    plans: Plans
    cache: SessionCache
    rows: Overlays
    metrics: Metrics
    feed: DecisionFeed | None = None
    """None: decisions are not published."""

    def dead_letters(self) -> DeadLetters:
        """For one batch."""
        return DeadLetters(self.names.dead_letters, self.topics.largest[self.names.dead_letters])

    def too_large(self, changes: Changes, outputs: Iterable[Output]) -> str:
        """What exceeds its topic's limit, in words; empty: nothing."""
        limit = self.topics.largest[self.names.changelog]
        for key, row in changes.items():
            if row is not None and len(key) + len(row) > limit:
                return f"a row of {len(key) + len(row)} bytes; {self.names.changelog} accepts {limit}"
        for output in outputs:
            if (size := size_of(output)) > (limit := self.topics.largest[output.topic]):
                return f"{self._called(output)} of {size} bytes; {output.topic} accepts {limit}"
        return ""

    def _called(self, output: Output) -> str:
        return "a command" if output.topic == self.names.commands else "a decision"


def _size(rows: Changes) -> int:
    size = 0
    for key, row in rows.items():
        size += len(key) + (0 if row is None else len(row))
    return size


class _Touched:
    """A session within one batch."""

    __slots__ = ("key", "outcomes", "output_bytes", "outputs", "session", "spoilt", "steps", "uid")

    def __init__(self, uid: str, key: bytes, session: Session) -> None:
        self.uid = uid
        self.key = key
        self.session = session
        self.steps: list[tuple[Record, Event]] = []
        self.outputs: list[Output] = []
        self.output_bytes = 0
        self.outcomes: list[Outcome] = []
        self.spoilt = False
        """The session object is not what its events make of it: they must be decided again, one by one."""


class PartitionTurn:
    """Decides the records of one partition of a batch."""

    def __init__(self, rules: Rules, batch: Batch, partition: int, letters: DeadLetters) -> None:
        self.outcomes: list[Outcome] = []
        self.loaded = 0
        """Sessions that were not in the cache."""
        self.decided = 0
        """Records that the batch had room for."""
        self._rules = rules
        self._batch = batch
        self._partition = partition
        self._letters = letters
        self._rows = rules.rows.of(partition)
        self._commands = rules.names.commands
        self._limit = min(rules.topics.largest.values())
        self._changes: Changes = {}

    def run(self, records: list[Record]) -> Changes:
        """The partition's changed rows; outputs go to the batch."""
        touched: dict[bytes | None, _Touched] = {}
        for record in records:
            if self._batch.is_full:
                break
            self.decided += 1
            try:
                self._take(record, touched)
            except (Stop, TryAgain):
                raise
            except Exception as error:
                raise _engine_bug(record, error) from error
        for session in touched.values():
            self._finish(session)
        return self._changes

    def _take(self, record: Record, touched: dict[bytes | None, _Touched]) -> None:
        key = record.key()
        session = touched.get(key)
        if session is None:
            session = self._touch(record, key)
            if session is None:
                return
            touched[key] = session
        self._step(session, record)

    def _touch(self, record: Record, given: bytes | None) -> _Touched | None:
        """The record's session, from the cache or from its rows; None: the record is dealt with already."""
        key = given or b""
        session = self._rules.cache.take(self._partition, key)
        try:
            uid = decode_key(given)
            if session is None:
                if misplaced(record, key, self._rules.topics.partitions):
                    self._send_home(record, key)
                    return None
                session = self._load(uid)
        except Undecodable as error:
            self._bury(record, error.reason, error.detail)
            return None
        return _Touched(uid, key, session)

    def _load(self, uid: str) -> Session:
        self.loaded += 1
        return Session(uid, self._rows, self._rules.plans)

    def _send_home(self, record: Record, key: bytes) -> None:
        names, topics = self._rules.names, self._rules.topics
        output = forward(record, key, names.events, topics.partitions)
        if was_forwarded(record) or size_of(output) > topics.largest[names.events]:
            self._bury(record, Refusal.WRONG_PARTITION, f"its key belongs on partition {output.partition}")
        else:
            self._rules.metrics.forwarded.inc()
            self._batch.outputs.append(output)

    def _step(self, touched: _Touched, record: Record) -> None:
        try:
            event = self._decode(record)
        except Undecodable as error:
            self._bury(record, error.reason, error.detail)
            return
        try:
            if not touched.spoilt:
                self._apply(touched, event)
        except TooManyCommands:
            touched.spoilt = True
            self._batch.output_bytes += MOST_OUTPUT_BYTES  # decided again, who knows what the next ones cause
        except Refused as error:
            self._bury(record, type(error).__name__, str(error))
            return
        touched.steps.append((record, event))

    def _apply(self, touched: _Touched, event: Event) -> None:
        decision = apply(touched.session, event)
        if decision.commands or self._rules.feed is not None:
            outputs = self._outputs(touched.session, touched.key, event, decision)
            size = 0
            for output in outputs:
                size += size_of(output)
            touched.outputs += outputs
            touched.output_bytes += size
            self._batch.output_bytes += size
        touched.outcomes.append(decision.outcome)

    def _decode(self, record: Record) -> Event:
        return self._rules.decoder.decode(record.value(), headers_of(record), place(record.offset()), time_of(record))

    def _finish(self, touched: _Touched) -> None:
        changes = {} if touched.spoilt else touched.session.changes()
        if touched.spoilt or self._is_too_large(changes, touched):
            self._decide_one_by_one(touched)
            return
        self._keep(changes, touched.outputs)
        self.outcomes += touched.outcomes
        self._rules.cache.put(self._partition, touched.key, touched.session)

    def _is_too_large(self, changes: Changes, touched: _Touched) -> bool:
        """All together is within the limit of one record, nearly always, and nothing needs a closer look."""
        if _size(changes) + touched.output_bytes <= self._limit:
            return False
        return bool(self._rules.too_large(changes, touched.outputs))

    def _keep(self, changes: Changes, outputs: list[Output]) -> None:
        self._changes.update(changes)
        self._batch.outputs += outputs

    def _decide_one_by_one(self, touched: _Touched) -> None:
        rows = Overlay(self._rows)
        for record, event in touched.steps:
            session = Session(touched.uid, rows, self._rules.plans)
            try:
                decision = apply(session, event)
            except TooManyCommands as error:
                self._bury(record, Refusal.RESULT_TOO_LARGE, str(error))
                continue
            except Refused as error:  # an event it relied on was left out
                self._bury(record, type(error).__name__, str(error))
                continue
            changes, outputs = session.changes(), self._outputs(session, touched.key, event, decision)
            if what := self._rules.too_large(changes, outputs):
                self._bury(record, Refusal.RESULT_TOO_LARGE, f"applying it would write {what}")
            else:
                rows.write(changes)
                self._keep(changes, outputs)
                self.outcomes.append(decision.outcome)

    def _outputs(self, session: Session, key: bytes, event: Event, decision: Decision) -> list[Output]:
        """The decision's records; its timers are rows already."""
        feed, topic = self._rules.feed, self._commands
        commands = [Output(topic, key, encode_command(c)) for c in decision.commands if isinstance(c, RunTask)]
        return commands + feed.outputs(session, self._partition, event, decision) if feed else commands

    def _bury(self, record: Record, reason: str, detail: str) -> None:
        self._batch.outputs.append(self._letters.bury(record, reason, detail))


def _engine_bug(record: Record, error: Exception) -> Stop:
    where = f"{record.topic()} partition {record.partition()} offset {record.offset()}"
    return Stop(ExitCode.ENGINE_BUG, f"{where}: {type(error).__name__}: {error}")
