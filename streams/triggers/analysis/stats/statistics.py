"""Statistics of rules and triggers over many sessions and a period: the tables, and how they are counted.

Sessions are folded one at a time and added to counters, so memory grows with the number of rules and triggers, not
with the number of sessions.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from msgspec import Struct

from triggers.analysis.event_log import GroupedLog
from triggers.analysis.stats.failures import FailureRow, Failures
from triggers.analysis.stats.session_totals import SessionTotals, count_session
from triggers.analysis.stats.wait_times import Durations
from triggers.core.events import Event
from triggers.core.plan import Rule
from triggers.core.state.plans import Plans

_EXAMPLES = 5


_Stuck = tuple[str, tuple[str, ...], bool, int]
"""Task, missing triggers, whether a failed instance is behind it, number of unresolved instances."""


class Period(Struct, frozen=True, kw_only=True):
    """A period, in milliseconds since 1970-01-01 UTC.

    Earlier events are applied but not counted. Later events are not applied.
    """

    since: int
    until: int
    """The end, inclusive."""
    stuck_since: int
    """A session is stuck if one of its instances is unresolved and its last record is not later than this. It is also
    stuck if a task waits for the task of a failed instance. `triggers list --stuck` and the workers say the same."""


class RuleRow(Struct, kw_only=True):
    """The counts of a task. Rules with the same name count together."""

    task: str
    run: str
    sessions: int = 0
    """The number of sessions with this rule."""
    instances: int = 0
    runs: int = 0
    """The number of times that an instance became scheduled, including replays. 0 if the rule never fired."""
    finished: int = 0
    failed: int = 0
    """The number of times that an instance failed, whether or not it was replayed or skipped since."""
    failed_now: int = 0
    """The number of instances that are failed at the end."""
    abandoned: int = 0
    expired: int = 0
    cancelled: int = 0
    waiting: int = 0
    """The number of instances that wait at the end."""
    wait_p50_ms: int | None = None
    """The wait from an instance's first trigger to its run, without replays, to within 1 %."""
    wait_p90_ms: int | None = None
    wait_p99_ms: int | None = None
    wait_longest_ms: int | None = None


class TriggerRow(Struct, kw_only=True):
    """The counts of a trigger that fired or that a rule waits for."""

    trigger: str
    fires: int = 0
    sessions: int = 0
    """The number of sessions in which it fired."""
    unused: int = 0
    """The number of fires that no rule of their session used. If it equals `fires`, no rule uses the trigger."""
    used_by: list[str] = []
    """The tasks whose rules use it."""
    is_task: bool = False
    """True if a task of this name fires it when it finishes."""


class StuckRow(Struct, kw_only=True):
    """Stuck sessions in which instances of one task lack the same triggers."""

    task: str
    missing: list[str]
    """The triggers; none if the instances are scheduled, running or failed, or wait for a time."""
    behind: bool = False
    """True if a missing trigger is the task of a failed instance. Such sessions are stuck at once."""
    sessions: int = 0
    instances: int = 0
    oldest: int = 0
    """The earliest time of a last event among these sessions."""
    examples: list[str] = []


class PublishedRow(Struct, kw_only=True):
    """The sessions that have a version of published rules."""

    rules: str
    version: int
    sessions: int = 0


class Statistics(Struct, kw_only=True):
    """The statistics of a log."""

    period: Period
    sessions: int
    """The number of sessions with an event in the period."""
    events: int
    """The number of events in the period."""
    refused: int
    """The number of events that their session refused."""
    stuck_sessions: int
    rules: list[RuleRow]
    """Sorted by name, with rules that never fired first."""
    triggers: list[TriggerRow]
    """Sorted by name, with triggers that no rule uses first."""
    stuck: list[StuckRow]
    """Sorted by the number of sessions, the most frequent first."""
    failures: list[FailureRow] = []
    """Why instances failed. Those that are failed at the end come first, then the most frequent."""
    published: list[PublishedRow] = []
    """Sorted by name and version."""


class Counting:
    """Counts sessions one by one and returns the statistics."""

    def __init__(self, period: Period) -> None:
        self._period = period
        self._plans = Plans()
        self._rules: dict[str, RuleRow] = {}
        self._waits: defaultdict[str, Durations] = defaultdict(Durations)
        self._triggers: dict[str, TriggerRow] = {}
        self._users: defaultdict[str, set[str]] = defaultdict(set)
        self._stuck: dict[tuple[str, tuple[str, ...], bool], StuckRow] = {}
        self._failures = Failures()
        self._counts: Counter[str] = Counter()
        self._published: Counter[tuple[str, int]] = Counter()

    def add(self, session: str, events: Iterable[Event]) -> None:
        """Counts a session. `events` are all its events, in order."""
        period = self._period
        totals = count_session(session, events, self._plans, since=period.since, until=period.until)
        if totals.events:
            self._counts.update(sessions=1, events=totals.events, refused=totals.refused)
            if totals.published is not None:
                self._published[totals.published] += 1
            self._add_rules(totals)
            self._add_triggers(totals)
            self._failures.add(session, totals.failures, totals.failed_now)
            is_quiet = totals.is_unresolved and totals.last <= period.stuck_since
            stuck = _stuck_tasks(totals, is_quiet=is_quiet)
            if is_quiet or stuck:
                self._add_stuck(session, totals, stuck)

    def result(self) -> Statistics:
        """Returns the statistics of the sessions that were added."""
        rules = [self._finished(row) for row in self._rules.values()]
        triggers = [self._with_uses(row) for row in self._triggers.values()]
        return Statistics(
            period=self._period,
            sessions=self._counts["sessions"],
            events=self._counts["events"],
            refused=self._counts["refused"],
            stuck_sessions=self._counts["stuck"],
            rules=sorted(rules, key=lambda row: (row.runs > 0, row.task)),
            triggers=sorted(triggers, key=lambda row: (row.unused < row.fires or not row.fires, row.trigger)),
            stuck=sorted(self._stuck.values(), key=lambda row: (-row.sessions, row.task, row.missing)),
            failures=self._failures.result(),
            published=[
                PublishedRow(rules=name, version=version, sessions=count)
                for (name, version), count in sorted(self._published.items())
            ],
        )

    def _add_rules(self, totals: SessionTotals) -> None:
        for rule in totals.rules.values():
            row = self._rule(rule)
            row.sessions += 1
            row.waiting += sum(totals.waiting.get(rule.name, {}).values())
            row.failed_now += totals.failed_of(rule.name)
        for task, status in totals.became.elements():
            _count_status(self._rules[task], status)
        for task, wait in totals.waits:
            self._waits[task].add(wait)

    def _rule(self, rule: Rule) -> RuleRow:
        row = self._rules.setdefault(rule.name, RuleRow(task=rule.name, run=rule.run))
        cancelling = (
            () if rule.edition_2 is None or rule.edition_2.cancel_on is None else rule.edition_2.cancel_on.leaves
        )
        for trigger in (*rule.after, *rule.unless, *(leaf.trigger for leaf in cancelling)):
            self._users[trigger].add(rule.name)
            self._triggers.setdefault(trigger, TriggerRow(trigger=trigger))
        return row

    def _add_triggers(self, totals: SessionTotals) -> None:
        for trigger, fires in totals.fires.items():
            row = self._triggers.setdefault(trigger, TriggerRow(trigger=trigger))
            row.fires += fires
            row.unused += totals.unused[trigger]
            row.sessions += 1

    def _add_stuck(self, session: str, totals: SessionTotals, stuck: list[_Stuck]) -> None:
        self._counts["stuck"] += 1
        for task, missing, behind, instances in stuck:
            row = self._stuck.setdefault(
                (task, missing, behind), StuckRow(task=task, missing=list(missing), behind=behind)
            )
            row.sessions += 1
            row.instances += instances
            row.oldest = min(row.oldest or totals.last, totals.last)
            if len(row.examples) < _EXAMPLES:
                row.examples = [*row.examples, session]

    def _finished(self, row: RuleRow) -> RuleRow:
        waits = self._waits[row.task]
        row.wait_p50_ms, row.wait_p90_ms, row.wait_p99_ms = (waits.percentile(percent) for percent in (50, 90, 99))
        row.wait_longest_ms = waits.longest if waits.count else None
        return row

    def _with_uses(self, row: TriggerRow) -> TriggerRow:
        row.used_by, row.is_task = sorted(self._users[row.trigger]), row.trigger in self._rules
        return row


def _stuck_tasks(totals: SessionTotals, *, is_quiet: bool) -> list[_Stuck]:
    """Returns which tasks of a session are stuck: those behind a failure, and all unresolved ones if it is quiet."""
    failed = {task for task, _, _ in totals.failed_now}
    numbers = Counter[tuple[str, tuple[str, ...]]]({(task, ()): n for task, n in totals.under_way.items()})
    numbers.update({(task, missing): n for task, groups in totals.waiting.items() for missing, n in groups.items()})
    not_begun = [(task, missing, True, 0) for task, missing in totals.not_begun.items() if failed & {*missing}]
    begun = [(task, missing, not failed.isdisjoint(missing), n) for (task, missing), n in numbers.items()]
    return [each for each in (*begun, *not_begun) if is_quiet or each[2]]


def compute_statistics(log: GroupedLog, since: int | None, until: int | None, stuck_after: int) -> Statistics:
    """Returns the statistics of a log.

    All arguments are milliseconds. A negative time counts back from the newest event; `stuck_after` is a duration.
    """
    end = log.newest if until is None else _absolute(until, log.newest)
    start = 0 if since is None else _absolute(since, log.newest)
    counting = Counting(Period(since=start, until=end, stuck_since=end - stuck_after))
    for session, events in log.sessions():
        counting.add(session, events)
    return counting.result()


def _absolute(time: int, newest: int) -> int:
    return max(newest + time, 0) if time < 0 else time


def _count_status(row: RuleRow, status: str) -> None:
    match status:
        case "unstarted":
            row.instances += 1
        case "scheduled":
            row.runs += 1
        case "finished":
            row.finished += 1
        case "failed":
            row.failed += 1
        case "abandoned":
            row.abandoned += 1
        case "expired":
            row.expired += 1
        case "cancelled":
            row.cancelled += 1
        case _:
            pass
