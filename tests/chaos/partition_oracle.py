"""The oracle of one partition: it folds the events in one pass and compares the result with all other evidence.

It starts from what was acknowledged to producers, not from the group's committed offset: an acknowledged event that is
neither in the rows nor in the commands is lost, whatever the group has committed.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast
from zlib import crc32

import msgspec
from confluent_kafka import Message
from tests.chaos.evidence import Part
from tests.chaos.questionnaire import GARBAGE
from tests.chaos.results import ResultsOfAttempts
from tests.chaos.second_model import judge_by_model
from tests.chaos.tally import Tally
from tests.chaos.verdict import OracleVerdict
from tests.support.fold_oracle import Fold, changelog_rows, commands_by_session, fold

from triggers.agent.turns.forwards import encode_forward
from triggers.codec import EventDecoder
from triggers.core.events import RulesPublished
from triggers.core.state.plans import Plans
from triggers.core.state.rows import MemoryRows, due_timers
from triggers.core.state.session import Session
from triggers.core.view import view_session
from triggers.kafka.own_headers import FORWARDED
from triggers.kafka.records import Header
from triggers.topology import Topology, partition_of

_FORWARDS = "triggers-forwards"
_GRACE_MS = 2_000
"""A timer that was due less than this time before the end may still be on its way."""


@dataclass
class Judged:
    """The verdict of one partition, and counts that are checked over all partitions together."""

    verdict: OracleVerdict = field(default_factory=OracleVerdict)
    misplaced: Counter[bytes] = field(default_factory=Counter)
    """Values of events that belong on another partition."""
    forwarded: Counter[bytes] = field(default_factory=Counter)
    """Values of events that were forwarded from another partition."""
    forwards: Counter[bytes] = field(default_factory=Counter)
    """Values of events that rules of this partition's sessions forward."""
    arrived: Counter[bytes] = field(default_factory=Counter)
    """Values of events that were forwarded to this partition's sessions."""


def judge_part(part: Part) -> Judged:
    """Judges one partition. It can run in another process."""
    judged = Judged()
    commands = list(part.commands())
    results = ResultsOfAttempts(commands, part.settings.max_payload_bytes)
    pass_over = _Pass(part, judged, results)
    expected = fold(pass_over.events(), part.settings.partitions, part.settings.max_payload_bytes)
    verdict = judged.verdict
    verdict.sessions, verdict.rows = len(expected.sessions), sum(map(len, expected.rows.values()))
    verdict.cancelled = len(results.cancelled)
    judged.forwards.update(encode_forward(forward, "", 1).value or b"" for _, forward in expected.forwards)
    _check_tallies(part, {"events": pass_over.tally, "commands": _tally(part, commands)}, verdict)
    _check_dead_letters(part, pass_over.garbage, expected, verdict)
    _check_commands(part, commands, expected, verdict)
    _check_rows(changelog_rows(part.changelog()).get(part.partition, {}), part, expected, verdict, "changelog rows")
    if part.rows is not None or part.is_drained:  # a partition without an owner has no file
        _check_rows(part.rows or {}, part, expected, verdict, "RocksDB rows")
    _check_views(part, expected, verdict)
    _check_results(part, results, verdict)
    _check_published(part, pass_over.publications, verdict)
    _check_timers(part, expected, verdict)
    judge_by_model(part, commands, expected, verdict)
    return judged


class _Pass:
    """One pass over the events, which checks them and passes them on to the fold."""

    def __init__(self, part: Part, judged: Judged, results: ResultsOfAttempts) -> None:
        self.tally = Tally()
        self._part = part
        self._judged = judged
        self._results = results
        self._due = sorted(pair for offsets, marks in part.acknowledged for pair in zip(offsets, marks, strict=True))
        self.garbage = set(part.garbage)
        """Offsets of records that cannot be decoded."""
        self._misplaced = set(part.misplaced)
        self._unplaced = part.unplaced.copy()
        self._next = 0
        self.publications: list[tuple[str, int]] = []
        """Name and number of each version of rules on the partition, in order."""
        self._decoder = EventDecoder(part.settings.max_payload_bytes, None)
        self._seen = part.tallies.get(Topology(part.settings.namespace).events)

    def events(self) -> Iterator[Message]:
        """Checks all events, and yields those that must have been processed."""
        verdict = self._judged.verdict
        for message in self._part.events():
            verdict.events += 1
            offset, value = message.offset() or 0, message.value() or b""
            if self._seen is not None and offset <= self._seen.last:
                self.tally.add(offset, value)
            if not self._acknowledged(offset, crc32(value)):
                self._look_at_other(message, value)
            if self._part.is_due(offset):
                if offset in self._misplaced:
                    self._judged.misplaced[value] += 1
                yield message
        self._acknowledged(sys.maxsize, 0)
        verdict.charge(verdict.lost, "acknowledged events", (+self._unplaced).elements())

    def _acknowledged(self, offset: int, checksum: int) -> bool:
        """Returns whether this record was acknowledged to a producer. Acknowledged offsets before it are lost."""
        passed = self._next
        while self._next < len(self._due) and self._due[self._next][0] < offset:
            self._next += 1
        missing = ((self._part.partition, offset) for offset, _ in self._due[passed : self._next])
        verdict = self._judged.verdict
        verdict.charge(verdict.lost, "acknowledged events", missing)
        if self._next == len(self._due) or self._due[self._next][0] != offset:
            return False
        if self._due[self._next][1] != checksum:
            verdict.charge(verdict.lost, "acknowledged events", [f"{self._part.partition}/{offset} has another value"])
        self._next += 1
        return True

    def _look_at_other(self, message: Message, value: bytes) -> None:
        """Checks a record whose offset no application knows: a result, a timer or a forwarded event."""
        self._results.add(message)
        headers = cast("list[Header]", message.headers() or [])
        if not message.key():
            self._note_publication(message, value)
            return
        if any(name == _FORWARDS for name, _ in headers):
            self._judged.arrived[value] += 1
        if any(name == FORWARDED for name, _ in headers):
            self._judged.forwarded[value] += 1
        elif self._unplaced[crc32(value)] > 0:
            self._unplaced[crc32(value)] -= 1
            self._place(message, value)
        elif value.startswith(b"{"):
            verdict = self._judged.verdict
            verdict.charge(verdict.wrong, "events that nobody published", [value])

    def _note_publication(self, message: Message, value: bytes) -> None:
        event = self._decoder.decode(value, None, message.offset() or 0, message.timestamp()[1])
        verdict = self._judged.verdict
        if isinstance(event, RulesPublished):
            self.publications.append((event.name, event.version))
        else:
            verdict.charge(verdict.wrong, "events without a key", [event])

    def _place(self, message: Message, value: bytes) -> None:
        """Adds the record of an application to `garbage` or to the misplaced ones, if it is either."""
        if value in GARBAGE or crc32(value) in self._part.refused:
            self.garbage.add(message.offset() or 0)
        elif partition_of(message.key() or b"", self._part.settings.partitions) != self._part.partition:
            self._misplaced.add(message.offset() or 0)


def _tally(part: Part, commands: list[Message]) -> Tally:
    other, tally = part.tallies.get(Topology(part.settings.namespace).commands), Tally()
    for message in commands:
        if other is not None and (message.offset() or 0) <= other.last:
            tally.add(message.offset() or 0, message.value() or b"")
    return tally


def _check_tallies(part: Part, tallies: Mapping[str, Tally], verdict: OracleVerdict) -> None:
    """Checks that both readers have read the same. If one skips or repeats records, the other checks prove nothing."""
    for name, tally in tallies.items():
        other = part.tallies.get(f"{part.settings.namespace}.{name}")
        if other is not None and other != tally:
            sample = f"{name} of partition {part.partition}: {other} while it ran, {tally} afterwards"
            verdict.charge(verdict.wrong, "readers that disagree", [sample])


def _check_dead_letters(part: Part, garbage: Collection[int], expected: Fold, verdict: OracleVerdict) -> None:
    """Checks that there is exactly one dead letter for each planted record."""
    planted = {offset for offset in garbage if part.is_due(offset)}
    refused = {offset for _, offset in expected.refused}
    verdict.charge(verdict.lost, "dead letters", planted - part.letters.keys())
    verdict.charge(verdict.wrong, "dead letters", (part.letters - Counter(planted)).elements())
    verdict.charge(verdict.wrong, "events that the core refuses", refused ^ planted)


def _check_commands(part: Part, commands: list[Message], expected: Fold, verdict: OracleVerdict) -> None:
    """Checks that each command is there once, in its session's order, on its session's partition."""
    verdict.commands = len(commands)
    by_session = commands_by_session(commands)
    for key in by_session.keys() | expected.commands.keys():
        actual, wanted = by_session.get(key, []), expected.commands.get(key, [])
        verdict.charge(verdict.lost, "commands", (Counter(wanted) - Counter(actual)).elements())
        verdict.charge(verdict.wrong, "commands", (Counter(actual) - Counter(wanted)).elements())
        if actual != wanted and Counter(actual) == Counter(wanted):
            verdict.charge(verdict.wrong, "order of commands", [key])
        if actual and partition_of(key, part.settings.partitions) != part.partition:
            verdict.charge(verdict.wrong, "partition of commands", [key])


def _check_rows(have: Mapping[bytes, bytes], part: Part, expected: Fold, verdict: OracleVerdict, what: str) -> None:
    want = expected.rows.get(part.partition, MemoryRows())
    verdict.charge(verdict.lost, what, (key for key in want if key not in have))
    verdict.charge(verdict.wrong, what, (key for key, row in have.items() if want.get(key) != row))


def _check_views(part: Part, expected: Fold, verdict: OracleVerdict) -> None:
    """Checks that the query API's answers equal the views of the fold."""
    for uid, answer in part.views.items():
        session = Session(uid, expected.sessions[uid.encode()], Plans())
        want = msgspec.json.encode(view_session(session)) if session.exists else b""
        if answer != want:
            book = verdict.wrong if answer else verdict.lost
            verdict.charge(book, "answers of the query API", [f"{uid}: {answer.decode(errors='replace')}"])


def _check_published(part: Part, publications: Sequence[tuple[str, int]], verdict: OracleVerdict) -> None:
    """Checks that the partition has every version of published rules once, in the order of their publication."""
    wanted, actual = Counter(part.publications), Counter(publications)
    verdict.charge(verdict.lost, "published rules on partitions", (wanted - actual).elements())
    verdict.charge(verdict.wrong, "published rules on partitions", (actual - wanted).elements())
    if wanted == actual and list(part.publications) != list(publications):
        verdict.charge(verdict.wrong, "order of published rules", [f"partition {part.partition}: {publications}"])


def _check_timers(part: Part, expected: Fold, verdict: OracleVerdict) -> None:
    """Checks that no timer had an effect twice, and, if everything was done, that none was left that was due.

    A timer that a worker has forgotten may still fire when the worker is stopped at the end and another one takes over.
    """
    verdict.timers, verdict.idle_timers = expected.timers.total(), expected.idle_timers
    verdict.longest_wait_s = expected.longest_wait_ms / 1000
    verdict.charge(verdict.wrong, "timers fired twice", (timer for timer, n in expected.timers.items() if n > 1))
    if part.is_drained:
        rows, limit = expected.rows.get(part.partition, MemoryRows()), part.now - _GRACE_MS
        left = [timer for timer, at in expected.fired_at.items() if timer[-1] < limit and at > part.now]
        verdict.charge(verdict.lost, "timers", [*due_timers(rows, limit), *left])


def _check_results(part: Part, results: ResultsOfAttempts, verdict: OracleVerdict) -> None:
    """Checks that every attempt has a result, and that it is what the task returns.

    If the campaign was not drained, only commands below the executors' committed offset must have results.
    """
    verdict.lost_tasks = len(results.lost_with_their_process)
    done = sys.maxsize if part.is_drained else part.executors_done
    missing = [task_id for task_id in results.missing if results.offsets[task_id] < done]
    verdict.charge(verdict.lost, "results", missing)
    verdict.charge(verdict.wrong, "results", results.unasked)
    verdict.charge(verdict.wrong, "outcomes", results.surprising)
    verdict.charge(verdict.wrong, "executions", part.executed - results.commands.keys())
