"""Counts one session for the statistics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from triggers.analysis.stats.failures import FailureKey, failure_key
from triggers.core.commands import Outcome
from triggers.core.decision import Decision
from triggers.core.engine import apply
from triggers.core.events import Event, ReplayRequested, RulesPublished, SessionImported, TaskFailed, TaskRetried
from triggers.core.exception_view import view_exception
from triggers.core.instance_names import parse_instance_name
from triggers.core.missing import Missing, missing_by_task, triggers_awaited
from triggers.core.plan import Rule
from triggers.core.state.loaded_instance import LoadedInstance
from triggers.core.state.plans import Plans
from triggers.core.state.rows import MemoryRows
from triggers.core.state.session import Session
from triggers.core.statuses import Status, is_resolved, is_waiting
from triggers.errors import CallError, NotFound


@dataclass
class SessionTotals:
    """The counts of one session. They cover the events in the period, unless a field says otherwise."""

    events: int = 0
    refused: int = 0
    last: int = 0
    """The time of the session's last record."""
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
    under_way: Counter[str] = field(default_factory=Counter)
    """The number of other unresolved instances at the end, by task: they are scheduled, running or failed."""
    is_unresolved: bool = False
    """True if an instance is unresolved at the end."""
    not_begun: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """The triggers that have not fired, of each task without an instance."""
    failures: Counter[FailureKey] = field(default_factory=Counter)
    """Why instances failed."""
    failed_now: Counter[FailureKey] = field(default_factory=Counter)
    """Why those instances failed that are failed at the end."""
    published: tuple[str, int] | None = None
    """Name and version of the published rules that the session has at the end."""

    def failed_of(self, task: str) -> int:
        """Returns the number of the task's instances that are failed at the end."""
        return sum(number for (failed, _, _), number in self.failed_now.items() if failed == task)


def count_session(uid: str, events: Iterable[Event], plans: Plans, *, since: int, until: int) -> SessionTotals:
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
        totals.rules = self._session.plan.tasks or totals.rules
        self._count(event, decision, counts=counts)

    def result(self) -> SessionTotals:
        """Returns the counts, with the instances that wait at the end."""
        totals, taken = self._totals, self._session.header.published
        totals.published = None if taken is None else (taken.name, taken.version)
        totals.last, totals.is_unresolved = self._session.header.clock, self._session.header.unresolved > 0
        totals.waiting = missing_by_task(self._session)
        for loaded in self._session.instances.scan() if totals.is_unresolved else ():
            self._count_unresolved(loaded)
        if totals.failed_now:
            totals.not_begun = self._not_begun()
        return totals

    def _count_unresolved(self, loaded: LoadedInstance) -> None:
        status, edition = loaded.instance.status, self._session.plan.edition
        if status == Status.FAILED:
            self._totals.failed_now[_reason(loaded)] += 1
        if not is_waiting(status, edition) and not is_resolved(status, edition):
            self._totals.under_way[loaded.task] += 1

    def _not_begun(self) -> dict[str, tuple[str, ...]]:
        """Returns what the tasks without an instance wait for."""
        rules = [rule for rule in self._session.plan.tasks.values() if not self._session.task_state(rule.name).count]
        awaited = {rule.name: tuple(sorted(triggers_awaited(self._session, rule))) for rule in rules}
        return {task: triggers for task, triggers in awaited.items() if triggers}

    def _count(self, event: Event, decision: Decision, *, counts: bool) -> None:
        if decision.outcome is Outcome.DELETED:
            self._created = {}
        is_replay, counts = isinstance(event, ReplayRequested | TaskRetried), counts and not _is_import(event)
        for name, status in decision.changed:
            if isinstance(event, TaskFailed) and (name, status) == (event.instance, Status.SCHEDULED):
                continue  # it waits for its next attempt, which counts as a run when it is issued
            self._count_status(name, status, event.time, is_replay=is_replay, counts=counts)
            if status == Status.FAILED and counts:
                self._totals.failures[_reason(self._session.instances.find(name))] += 1
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


def _reason(loaded: LoadedInstance) -> FailureKey:
    exception = view_exception(loaded.instance.metadata)
    kind, message = ("", "") if exception is None else (exception.type, exception.message)
    return failure_key(loaded.task, kind, message)


def _is_import(event: Event) -> bool:
    """Returns whether the event is an import; what happened before an import happened elsewhere and is not counted."""
    return isinstance(event, SessionImported)
