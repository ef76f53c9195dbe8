"""The oracle folds the events topic through the core in memory and compares the workers' output with it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import cast

from confluent_kafka import Message
from tests.support.topic_reader import read_topic

from triggers.agent.turns.partition_index import IndexUpdate
from triggers.codec import EventDecoder, decode_key, encode_cancellation, encode_command
from triggers.core.commands import ForwardTrigger, Outcome, RunTask
from triggers.core.decision import Decision
from triggers.core.engine import apply
from triggers.core.events import Event, RulesPublished, TimerFired
from triggers.core.state.plans import Plans
from triggers.core.state.rows import Changes, MemoryRows
from triggers.core.state.session import Session
from triggers.errors import CallError, NotFound, Undecodable
from triggers.kafka.records import Record, headers_of
from triggers.queries.index_rows import REACH, Reach, encode_row
from triggers.settings import Settings
from triggers.topology import Topology, partition_of

Coordinates = tuple[int, int]
FiredTimer = tuple[str, str, str, int, int]
"""Session, instance, kind, attempt and due time."""


@dataclass
class Fold:
    """The state and output that a log of events must lead to."""

    rows: defaultdict[int, MemoryRows] = field(default_factory=lambda: defaultdict(MemoryRows))
    """Partition -> rows."""
    sessions: defaultdict[bytes, MemoryRows] = field(default_factory=lambda: defaultdict(MemoryRows))
    """Session key -> its rows and the plans of the configurations that it has used."""
    commands: defaultdict[bytes, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    """Session key -> commands and cancellations, in order."""
    forwards: list[tuple[str, ForwardTrigger]] = field(default_factory=list)
    """UID of the session whose rules forward, and what they forward, in order."""
    timers: Counter[FiredTimer] = field(default_factory=Counter)
    """Timer -> number of its events that had an effect."""
    fired_at: dict[FiredTimer, int] = field(default_factory=dict)
    """Timer -> time of the record of its event that had an effect."""
    idle_timers: int = 0
    """Number of events of timers without an effect: too early, a second time, or of a timer that was stopped."""
    longest_wait_ms: int = 0
    """Longest time from a timer's due time to the event that had an effect."""
    refused: set[Coordinates] = field(default_factory=set)
    """(partition, offset) of events that must be dead letters."""
    events: int = 0
    published: defaultdict[int, MemoryRows] = field(default_factory=lambda: defaultdict(MemoryRows))
    """Partition -> the rows of its published rules, which all of its sessions see."""

    def write(self, partition: int, changes: Changes, session: Session | None = None) -> None:
        """Writes what an event changes, and the index of the partition, which follows from it."""
        rows, index = self.rows[partition], IndexUpdate()
        if session is not None:
            index.add(session.uid, session.moved)
        rows.write(changes | index.changes(rows, {}))


def fold(
    messages: Iterable[Message], partitions: int, max_payload_bytes: int, without: Collection[Coordinates] = ()
) -> Fold:
    """Applies the events in the order of their partitions, except misplaced ones and those of `without`."""
    result, decoder, plans = Fold(), EventDecoder(max_payload_bytes, None), Plans()
    for message in messages:
        partition, offset = message.partition() or 0, message.offset() or 0
        result.rows[partition][REACH] = encode_row(Reach(until=None))
        if not message.key() and (event := _decoded(decoder, message)) and isinstance(event, RulesPublished):
            result.events += 1
            changes = plans.publish(event, result.published[partition])
            result.published[partition].write(changes)
            result.write(partition, changes)
            continue
        if partition_of(message.key() or b"", partitions) != partition:
            continue
        result.events += 1
        if (partition, offset) in without:
            result.refused.add((partition, offset))
            continue
        rows = result.sessions[message.key() or b""]
        rows.update(result.published[partition])
        try:
            session = Session(decode_key(message.key()), rows, plans)
            headers = headers_of(cast("Record", message))
            event = decoder.decode(message.value(), headers, offset, message.timestamp()[1])
            decision = apply(session, event)
        except (Undecodable, CallError, NotFound):
            result.refused.add((partition, offset))
            continue
        changes = session.changes()
        rows.write(changes)
        result.write(partition, changes, session)
        _note_outputs(result, message.key() or b"", decision)
        if isinstance(event, TimerFired):
            _note_timer(result, session.uid, event, decision)
    return result


def _note_outputs(result: Fold, key: bytes, decision: Decision) -> None:
    commands = [encode_command(command) for command in decision.commands if isinstance(command, RunTask)]
    result.commands[key] += [*commands, *map(encode_cancellation, decision.cancels)]
    result.forwards += [(key.decode(), forward) for forward in decision.forwards]


def _note_timer(result: Fold, uid: str, event: TimerFired, decision: Decision) -> None:
    if decision.outcome is Outcome.STALE:
        result.idle_timers += 1
        return
    timer = uid, event.instance, event.kind, event.attempt, event.due
    result.timers[timer] += 1
    result.fired_at[timer] = event.recorded or event.time
    result.longest_wait_ms = max(result.longest_wait_ms, result.fired_at[timer] - event.due)


def _decoded(decoder: EventDecoder, message: Message) -> Event | None:
    try:
        headers = headers_of(cast("Record", message))
        return decoder.decode(message.value(), headers, message.offset() or 0, message.timestamp()[1])
    except Undecodable:
        return None


def changelog_rows(messages: Iterable[Message]) -> dict[int, dict[bytes, bytes]]:
    """Returns the rows that compaction of the changelog leaves, by partition."""
    rows: defaultdict[int, MemoryRows] = defaultdict(MemoryRows)
    for message in messages:
        rows[message.partition() or 0].write({message.key() or b"": message.value()})
    return dict(rows)


def commands_by_session(messages: Iterable[Message]) -> dict[bytes, list[bytes]]:
    """Returns the commands of each session in the order of the topic."""
    commands: defaultdict[bytes, list[bytes]] = defaultdict(list)
    for message in messages:
        commands[message.key() or b""].append(message.value() or b"")
    return dict(commands)


def fold_events(settings: Settings, without: Collection[Coordinates] = ()) -> Fold:
    """Folds the whole events topic."""
    events = read_topic(settings, Topology(settings.namespace).events)
    return fold(events, settings.partitions, settings.max_payload_bytes, without)


def assert_equals_fold(settings: Settings, without: Collection[Coordinates] = ()) -> Fold:
    """Fails unless changelog and commands equal the fold of the events: nothing is lost, wrong or repeated.

    `without` has events whose rows or commands exceed their topics' limit, which the core does not know.
    """
    names, expected = Topology(settings.namespace), fold_events(settings, without)
    assert differing_rows(changelog_rows(read_topic(settings, names.changelog)), expected.rows) == []
    commands = commands_by_session(read_topic(settings, names.commands))
    wanted = {key: made for key, made in expected.commands.items() if made}
    assert [key for key in commands.keys() | wanted.keys() if commands.get(key) != wanted.get(key)] == []
    return expected


def differing_rows(actual: dict[int, dict[bytes, bytes]], expected: dict[int, MemoryRows]) -> list[tuple[int, bytes]]:
    """Returns (partition, key) of the first twenty rows that are missing, unexpected or different."""
    partitions = sorted(actual.keys() | expected.keys())
    pairs = [(p, actual.get(p, {}), expected.get(p, MemoryRows())) for p in partitions]
    wrong = [(p, key) for p, a, b in pairs for key in sorted(a.keys() | b.keys()) if a.get(key) != b.get(key)]
    return wrong[:20]
