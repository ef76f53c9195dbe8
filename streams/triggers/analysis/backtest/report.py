"""Back-tests many sessions: counts changes and keeps a few example sessions, so memory does not grow with the log."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from hashlib import blake2b
from heapq import heappush, heappushpop
from typing import Final

from msgspec import Struct

from triggers.analysis.backtest.assumptions import Assumptions, NewRules, check_stubs
from triggers.analysis.backtest.difference import RunChange, SessionDifference, compare
from triggers.analysis.event_log import GroupedLog
from triggers.core.config import compile_plan
from triggers.core.events import Event
from triggers.core.state.plans import Plans

SHOWN: Final = 3
_DIGEST_BYTES: Final = 8


class BacktestScope(Struct, frozen=True, kw_only=True):
    """Selects the sessions of the log that are folded. Times and durations are milliseconds."""

    since: int | None = None
    """Sessions with an event at this time or later."""
    within: int | None = None
    """Sessions with an event within this duration before the log's last event."""
    sample: int | None = None
    """The maximum number of sessions. Those whose UIDs have the smallest hashes are chosen, the same in every run."""


def scope_of(since: int | None, sample: int | None) -> BacktestScope:
    """Returns a scope. A negative `since` is a duration before the log's last event (`times.point_in_time`)."""
    if since is not None and since < 0:
        return BacktestScope(within=-since, sample=sample)
    return BacktestScope(since=since, sample=sample)


class ChangeCount(Struct):
    """The counts of one kind of change."""

    sessions: int = 0
    runs: int = 0


class BacktestReport(Struct, kw_only=True):
    """The effect of other rules on the sessions of a log."""

    sessions: int = 0
    """The number of sessions that were folded."""
    events: int = 0
    changed: int = 0
    """The number of sessions with a change that is judged."""
    doubtful: int = 0
    """The number of sessions with tasks that are not judged, because they depend on an unknown result, or on a timer
    that is due after the last event.
    """
    changes: dict[RunChange, ChangeCount]
    """The changes that are judged."""
    tasks: dict[str, dict[RunChange, int]]
    """The number of changed runs, by task."""
    results: dict[str, int]
    """The number of new runs by how their result is known."""
    refused: int = 0
    """The number of recorded operations that sessions would have refused under the new rules."""
    forwards: dict[RunChange, int] = {}
    """The number of triggers that `$forward` fires in other sessions only under the new rules, or no longer."""
    failures: dict[str, int] = {}
    """How often each expression could not be evaluated under the new rules."""
    samples: list[SessionDifference]
    """A few sessions for each kind of change and of what is not known, sorted by UID."""


class Backtest:
    """A back-test of one log. Call `gather`, then consume `differences`, then `report`."""

    def __init__(self, rules: NewRules, assumptions: Assumptions, scope: BacktestScope, shown: int = SHOWN) -> None:
        """`shown` is the number of example sessions to keep for each kind of change.

        Raises CallError if a stub is for a task that the new rules do not have, unless they are added to recorded ones.
        """
        plan = compile_plan(rules.rules)
        if not rules.added:
            check_stubs(assumptions.stubs, plan.tasks)
        self._rules = rules
        self._assumptions = assumptions
        self._scope = scope
        self._shown = shown
        self._plans = Plans()
        self._newest = 0
        self._sample = None if scope.sample is None else _SmallestHashes(scope.sample)
        self._changes: defaultdict[RunChange, ChangeCount] = defaultdict(ChangeCount)
        self._tasks: defaultdict[str, Counter[RunChange]] = defaultdict(Counter)
        self._results: Counter[str] = Counter()
        self._forwards: Counter[RunChange] = Counter()
        self._failures: Counter[str] = Counter()
        self._examples: Counter[str] = Counter()
        self._report = BacktestReport(changes={}, tasks={}, results={}, samples=[])

    def gather(self, events: Iterable[tuple[str, Event]], log: GroupedLog) -> None:
        """Reads events into the log. Errors of reading are passed on."""
        log.add(self._following_last(events))

    def differences(
        self, log: GroupedLog, on_progress: Callable[[int], None] = lambda _: None
    ) -> Iterator[SessionDifference]:
        """Yields the difference of each selected session. `on_progress` gets the number of events of every session."""
        for uid, group in log.sessions():
            events = list(group)
            if self._wanted(uid, events):
                difference = compare(uid, events, self._rules, self._assumptions, self._plans)
                self._count(difference, len(events))
                yield difference
            on_progress(len(events))

    def report(self) -> BacktestReport:
        """Returns the report on the sessions so far."""
        self._report.changes = dict(sorted(self._changes.items()))
        self._report.tasks = {task: dict(sorted(counts.items())) for task, counts in sorted(self._tasks.items())}
        self._report.results = dict(self._results)
        self._report.forwards = dict(sorted(self._forwards.items()))
        self._report.failures = dict(sorted(self._failures.items()))
        return self._report

    def _following_last(self, events: Iterable[tuple[str, Event]]) -> Iterator[tuple[str, Event]]:
        for uid, event in events:
            self._newest = max(self._newest, event.time)
            if self._sample is not None:
                self._sample.offer(uid)
            yield uid, event

    def _wanted(self, uid: str, events: list[Event]) -> bool:
        if self._sample is not None and not self._sample.has(uid):
            return False
        since = self._scope.since or 0
        if self._scope.within is not None:
            since = max(since, self._newest - self._scope.within)
        return max(event.time for event in events) >= since

    def _count(self, difference: SessionDifference, events: int) -> None:
        report = self._report
        judged = [change for change in difference.changes if change.judged]
        report.sessions += 1
        report.events += events
        report.changed += bool(judged or difference.forwards)
        report.doubtful += bool(difference.unjudged)
        report.refused += difference.refused
        self._results.update(difference.results)
        self._forwards.update(forward.change for forward in difference.forwards)
        for failure in difference.failures:
            self._failures[failure.expression] += failure.times
        for change in judged:
            self._changes[change.change].runs += 1
            self._tasks[change.task][change.change] += 1
        kinds: set[str] = {change.change for change in judged} | {each.change for each in difference.forwards}
        kinds |= {kind for kind, each in (("open", difference.open), ("failures", difference.failures)) if each}
        for change_kind in {change.change for change in judged}:
            self._changes[change_kind].sessions += 1
        if any(self._examples[kind] < self._shown for kind in kinds):
            self._examples.update(kinds)
            report.samples.append(difference)


class _SmallestHashes:
    """Keeps the session UIDs with the smallest hashes, up to a maximum number."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._heap: list[tuple[int, str]] = []
        self._chosen: set[str] = set()

    def offer(self, uid: str) -> None:
        if uid in self._chosen:
            return
        entry = -_hash(uid), uid
        self._chosen.add(uid)
        if len(self._heap) < self._limit:
            heappush(self._heap, entry)
        else:
            self._chosen.discard(heappushpop(self._heap, entry)[1])

    def has(self, uid: str) -> bool:
        return uid in self._chosen


def _hash(uid: str) -> int:
    return int.from_bytes(blake2b(uid.encode(), digest_size=_DIGEST_BYTES).digest(), "big")
