"""Counts one session for the statistics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from triggers.core.commands import Decision, Outcome
from triggers.core.engine import apply
from triggers.core.events import Event, ReplayRequested, RulesPublished, SessionImported, TaskRetried
from triggers.core.instance_names import parse_instance_name
from triggers.core.missing import Missing, missing_by_task
from triggers.core.plan import Rule
from triggers.core.state.plans import Plans
from triggers.core.state.rows import MemoryRows
from triggers.core.state.session import Session
from triggers.core.statuses import Status
from triggers.errors import CallError, NotFound


@dataclass
class SessionTotals:
    """The counts of one session. They cover the events in the period, unless a field says otherwise."""

    events: int = 0
    refused: int = 0
    last: int = 0
    """The time of the last event that was applied."""
    rules: dict[str, Rule] = field(default_factory=dict)
    """The session's rules at the end, or before it was deleted."""
    became: Counter[tuple[str, str]] = field(default_factory=Counter)
    """The number of status changes by (task, status). New instances count as `unstarted`."""
    waits: list[tuple[str, int]] = field(default_factory=list)
    """For each first run, the task and the milliseconds since its instance was created."""
    fires: Counter[str] = field(default_factory=Counter)
    unused: Counter[str] = field(default_factory=Counter)
    waiting: dict[str, Missing] = field(default_factory=dict)
    """The number of instances that wait at the end, by task and missing triggers."""
    published: tuple[str, int] | None = None
    """Name and version of the published rules that the session has at the end."""


def total(uid: str, events: Iterable[Event], plans: Plans, *, since: int, until: int) -> SessionTotals:
    """Folds the events up to `until` and counts those from `since` on. Both are milliseconds and inclusive."""
    fold = _Fold(uid, plans)
    for event in events:
        if event.time <= until:
            fold.apply(event, counts=event.time >= since)
    return fold.result()


class _Fold:
    def __init__(self, uid: str, plans: Plans) -> None:
        self._uid = uid
        self._plans = plans
        self._rows = MemoryRows()
        self._session = Session(uid, self._rows, plans)
        self._totals = SessionTotals()
        self._created: dict[str, int] = {}
        """The creation time of each instance that has not run yet."""

    def apply(self, event: Event, *, counts: bool) -> None:
        """Applies the event and, if `counts`, counts it."""
        totals = self._totals
        if isinstance(event, RulesPublished):
            apply(self._session, event)
            self._rows.write(self._session.changes())
            return
        totals.events += counts
        try:
            decision = apply(self._session, event)
        except (CallError, NotFound):
            totals.refused += counts
            self._session = Session(self._uid, self._rows, self._plans)
            return
        self._rows.write(self._session.changes())
        totals.last = max(totals.last, event.time)
        totals.rules = self._session.plan.tasks or totals.rules
        self._count(event, decision, counts=counts)

    def result(self) -> SessionTotals:
        """Returns the counts, with the instances that wait at the end."""
        totals, taken = self._totals, self._session.header.published
        totals.published = None if taken is None else (taken.name, taken.version)
        totals.waiting = missing_by_task(self._session)
        return totals

    def _count(self, event: Event, decision: Decision, *, counts: bool) -> None:
        if decision.outcome is Outcome.DELETED:
            self._created = {}
        is_replay, counts = isinstance(event, ReplayRequested | TaskRetried), counts and not _is_import(event)
        for name, status in decision.changed:
            self._count_status(name, status, event.time, is_replay=is_replay, counts=counts)
        for fire in decision.fires if counts else ():
            self._totals.fires[fire.trigger] += 1
            self._totals.unused[fire.trigger] += self._is_unused(decision, fire.trigger)

    def _count_status(self, name: str, status: str, time: int, *, is_replay: bool, counts: bool) -> None:
        task, _ = parse_instance_name(name)
        if counts:
            self._totals.became[task, status] += 1
        if status == Status.UNSTARTED and not is_replay:
            self._created.setdefault(name, time)
        created = self._created.pop(name, None) if status == Status.SCHEDULED else None
        if created is not None and counts:
            self._totals.waits.append((task, time - created))

    def _is_unused(self, decision: Decision, trigger: str) -> bool:
        return decision.outcome is Outcome.UNUSED or trigger not in self._session.plan.by_trigger


def _is_import(event: Event) -> bool:
    """Returns whether the event is an import; what happened before an import happened elsewhere and is not counted."""
    return isinstance(event, SessionImported)
