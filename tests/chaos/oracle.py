"""The oracle: folds the events through the pure core in memory and compares everything that is left with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import cast
from zlib import crc32

import msgspec
from confluent_kafka import Message
from tests.chaos.evidence import Evidence, Rows
from tests.chaos.results import ResultsOfAttempts
from tests.support.fold_oracle import Fold, changelog_rows, commands_by_session, fold

from triggers.codec import decode_dead_letter
from triggers.core.config import Plans
from triggers.core.rows import MemoryRows
from triggers.core.session import Session
from triggers.core.view import view
from triggers.kafka.records import Header
from triggers.processing.routing import FORWARDED

_MOST_SAMPLES = 5


@dataclass
class Verdict:
    """What the oracle found. `lost` and `wrong` are 0, or the campaign has failed."""

    events: int = 0
    commands: int = 0
    sessions: int = 0
    rows: int = 0
    dead_letters: int = 0
    forwarded: int = 0
    executions: int = 0
    duplicates: int = 0
    """Executions of a task beyond one for each attempt."""
    lost_tasks: int = 0
    """Attempts reported as failed because their process died; each with a result, so not lost."""
    lost: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    samples: dict[str, list[str]] = field(default_factory=dict)
    """Some of each, for people."""

    @property
    def is_clean(self) -> bool:
        """Nothing lost, nothing wrong."""
        return not (self.lost.total() or self.wrong.total())

    def charge(self, book: Counter[str], what: str, cases: Iterable[object]) -> None:
        """Count cases of something lost or wrong, and keep some of them."""
        for case in cases:
            book[what] += 1
            if len(kept := self.samples.setdefault(what, [])) < _MOST_SAMPLES:
                kept.append(str(case)[:300])


def judge(evidence: Evidence) -> Verdict:
    """Compare everything with the fold of the events."""
    settings = evidence.settings
    expected = fold(evidence.processed, settings.partitions, settings.max_payload_bytes)
    verdict = Verdict(
        events=len(evidence.events),
        commands=len(evidence.commands),
        sessions=len(expected.sessions),
        rows=sum(map(len, expected.rows.values())),
        dead_letters=len(evidence.dead_letters),
        executions=evidence.executions.total(),
        duplicates=sum(times - 1 for times in evidence.executions.values()),
    )
    for check in _CHECKS:
        check(evidence, expected, verdict)
    return verdict


def _events(evidence: Evidence, _: Fold, verdict: Verdict) -> None:
    """Whatever a producer was told is safe, is there."""
    there = {_place(message): crc32(message.value() or b"") for message in evidence.events}
    acknowledged = {place: mark for published in evidence.published for place, mark in published.places.items()}
    missing = [place for place, mark in acknowledged.items() if there.get(place) != mark]
    verdict.charge(verdict.lost, "acknowledged events", missing)
    verdict.charge(verdict.lost, "events given up", [why for one in evidence.published for why in one.failed])


def _forwarded(evidence: Evidence, _: Fold, verdict: Verdict) -> None:
    """What lay on a wrong partition was forwarded, once."""
    misplaced = {place for published in evidence.published for place in published.misplaced}
    wanted = Counter(message.value() for message in evidence.processed if _place(message) in misplaced)
    found = Counter(message.value() for message in evidence.events if _was_forwarded(message))
    verdict.forwarded = found.total()
    verdict.charge(verdict.lost, "misplaced events", (wanted - found).elements())
    verdict.charge(verdict.wrong, "forwarded events", (found - wanted).elements())


def _dead_letters(evidence: Evidence, expected: Fold, verdict: Verdict) -> None:
    """Dead letters are those that were planted, each once."""
    planted = {place for one in evidence.published for place in one.garbage if evidence.is_done(place)}
    letters = [decode_dead_letter(message.value()) for message in evidence.dead_letters]
    found = Counter((letter.partition, letter.offset) for letter in letters)
    verdict.charge(verdict.lost, "dead letters", planted - found.keys())
    verdict.charge(verdict.wrong, "dead letters", (found - Counter(planted)).elements())
    verdict.charge(verdict.wrong, "events that the core refuses", expected.refused ^ planted)


def _commands(evidence: Evidence, expected: Fold, verdict: Verdict) -> None:
    """Each command once, in the order of its session."""
    found = commands_by_session(evidence.commands)
    for key in found.keys() | expected.commands.keys():
        have, want = found.get(key, []), expected.commands.get(key, [])
        verdict.charge(verdict.lost, "commands", (Counter(want) - Counter(have)).elements())
        verdict.charge(verdict.wrong, "commands", (Counter(have) - Counter(want)).elements())
        if have != want and Counter(have) == Counter(want):
            verdict.charge(verdict.wrong, "order of commands", [key])


def _changelog(evidence: Evidence, expected: Fold, verdict: Verdict) -> None:
    rows = changelog_rows(evidence.changelog)
    _compare(rows, expected, verdict, "changelog rows", rows.keys() | expected.rows.keys())


def _files(evidence: Evidence, expected: Fold, verdict: Verdict) -> None:
    """Of partitions that nobody was ready for, there are no files to look at; a drained campaign has none."""
    partitions = evidence.files.keys() | (expected.rows.keys() if evidence.is_drained else set())
    _compare(evidence.files, expected, verdict, "RocksDB rows", partitions)


def _compare(actual: Rows, expected: Fold, verdict: Verdict, what: str, partitions: Iterable[int]) -> None:
    for partition in partitions:
        have, want = actual.get(partition, {}), expected.rows.get(partition, MemoryRows())
        verdict.charge(verdict.lost, what, (key for key in want if key not in have))
        verdict.charge(verdict.wrong, what, (key for key, row in have.items() if want.get(key) != row))


def _views(evidence: Evidence, expected: Fold, verdict: Verdict) -> None:
    """The query API shows what the rows say."""
    for uid, answer in evidence.views.items():
        session = Session(uid, expected.sessions[uid.encode()], Plans())
        want = msgspec.json.encode(view(session)) if session.exists else b""
        if answer != want:
            book = verdict.wrong if answer else verdict.lost
            verdict.charge(book, "answers of the query API", [f"{uid}: {answer.decode(errors='replace')}"])


def _results(evidence: Evidence, _: Fold, verdict: Verdict) -> None:
    """Every attempt has a result, and what it says is what the task does."""
    results = ResultsOfAttempts(evidence)
    verdict.lost_tasks = len(results.lost_with_their_process)
    if evidence.is_drained:
        verdict.charge(verdict.lost, "results", results.missing)
    verdict.charge(verdict.wrong, "results", results.unasked)
    verdict.charge(verdict.wrong, "outcomes", results.surprising)
    verdict.charge(verdict.wrong, "executions", evidence.executions.keys() - results.commands.keys())


def _place(message: Message) -> tuple[int, int]:
    return message.partition() or 0, message.offset() or 0


def _was_forwarded(message: Message) -> bool:
    headers = cast("list[Header]", message.headers() or [])
    return any(name == FORWARDED for name, _ in headers)


_CHECKS: tuple[Callable[[Evidence, Fold, Verdict], None], ...] = (
    _events,
    _forwarded,
    _dead_letters,
    _commands,
    _changelog,
    _files,
    _views,
    _results,
)
