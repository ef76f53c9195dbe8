"""Folds a session event by event and records which event gave what to which instance."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Collection
from typing import NamedTuple

from triggers.analysis.explain.event_words import refer_to, replaced_kwargs, trigger_of
from triggers.analysis.explain.explanation import EventRef, HeldTrigger
from triggers.analysis.explain.holdings import BeforeAndAfter, Holdings
from triggers.core.commands import Outcome
from triggers.core.decision import Decision
from triggers.core.engine import apply
from triggers.core.events import (
    Event,
    SessionImported,
    StatusSet,
    TaskFailed,
    TaskFinished,
    TaskRetried,
    TaskStatusChanged,
    TimerFired,
)
from triggers.core.instance_names import instance_name, parse_instance_name
from triggers.core.state.plans import Plans
from triggers.core.state.rows import MemoryRows
from triggers.core.state.session import Session
from triggers.core.statuses import CLOSES_ATTEMPT, Status

_RESULTS = (TaskFinished, TaskFailed, TaskStatusChanged, TaskRetried)


class Beginning(NamedTuple):
    """The state of an instance at its creation."""

    event: int
    have: frozenset[str]
    seen: frozenset[str]
    parent: str | None
    replaced: bool
    """True if the event gave it its kwargs; False if they come from its parent or from earlier fires."""
    imported: bool
    """True if it was imported with its state."""


class Trace:
    """The record of one session, to which `apply` adds events, numbered from 0. Its memory grows with the session."""

    def __init__(self, uid: str) -> None:
        self.uid = uid
        self._rows = MemoryRows()
        self._plans = Plans()
        self.session = self._load()
        self.refs: list[EventRef] = []
        self._about: list[str | None] = []
        self._forget()

    def _forget(self) -> None:
        """Starts with an empty record, at first and after the session was deleted."""
        self.ids: dict[str, int] = {}
        """The last event that was applied, by event id."""
        self.closed_by: dict[str, int] = {}
        """The event that was the result of the instance's last closed attempt, by instance."""
        self.history: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
        """Every status change as (event, status), by instance."""
        self.statuses: defaultdict[str, Counter[str]] = defaultdict(Counter)
        """The number of instances, by task and status."""
        self.scheduled: dict[str, int] = {}
        """The event that last scheduled an instance of the task, by task."""
        self._fires: defaultdict[str, list[int]] = defaultdict(list)
        self._offers: defaultdict[tuple[str, str, str], list[int]] = defaultdict(list)
        self._beginnings: dict[str, Beginning] = {}
        self.holdings = Holdings()
        """The contributions that instances of edition 2 hold, or held when they stopped waiting."""

    def apply(self, event: Event) -> Decision:
        """Applies the next event. If the engine raises, the event has its number but leaves the session unchanged."""
        number = len(self.refs)
        self.refs.append(refer_to(event))
        self._about.append(getattr(event, "instance", None))
        try:
            decision = apply(self.session, event)
        except Exception:
            self.session = self._load()
            raise
        self._record(number, event, decision)
        if self.session.plan.edition_2 is not None:
            self.holdings.record(number, event, decision, BeforeAndAfter(self._load(), self.session))
        else:
            self.holdings.record_in_edition_1(number, event, decision)
        self._rows.write(self.session.changes())
        if isinstance(event, SessionImported):
            for trigger in self.session.latest.all():
                self._fires[trigger].append(number)
        return decision

    def status_of(self, name: str) -> str | None:
        """Returns the instance's present status, or None if there is no such instance."""
        return self.history[name][-1][1] if name in self.history else None

    def began(self, name: str, number: int) -> bool:
        """Returns whether the event with this number created the instance."""
        return self._beginnings[name].event == number

    @property
    def fired_triggers(self) -> Collection[str]:
        """The triggers that have fired in this session."""
        return self._fires.keys()

    def last_fire(self, trigger: str) -> HeldTrigger:
        """Returns the trigger with the event that fired it last."""
        return HeldTrigger(trigger=trigger, by=self.refs[self._fires[trigger][-1]])

    def first_fire(self, trigger: str) -> HeldTrigger:
        """Returns the trigger with the event that fired it first."""
        return HeldTrigger(trigger=trigger, by=self.refs[self._fires[trigger][0]])

    def giver(self, name: str, trigger: str) -> HeldTrigger:
        """Returns the trigger with the event whose kwargs the instance has for it."""
        number = self._giving_event(name, trigger)
        return HeldTrigger(trigger=trigger, by=None if number is None else self.refs[number])

    def witness(self, name: str, trigger: str) -> HeldTrigger:
        """Returns the trigger with the event that made the instance count it towards `unless`."""
        number = self._witnessing_event(name, trigger)
        return HeldTrigger(trigger=trigger, by=None if number is None else self.refs[number])

    def _load(self) -> Session:
        return Session(self.uid, self._rows, self._plans)

    def _record(self, number: int, event: Event, decision: Decision) -> None:
        if event.id is not None and decision.outcome != Outcome.DUPLICATE:
            self.ids[event.id] = number
        if decision.outcome in (Outcome.DUPLICATE, Outcome.STALE):
            return
        if decision.outcome is Outcome.DELETED:
            self._forget()
            return
        for name, status in decision.changed:
            self._record_status(number, event, name, status)
        if (about := self._about[number]) and self._closes_attempt(event, decision):
            self.closed_by[about] = number
        if (trigger := trigger_of(event)) is not None:
            self._record_fire(number, trigger)

    @staticmethod
    def _closes_attempt(event: Event, decision: Decision) -> bool:
        """Returns whether the event closed the attempt of the instance that it is about."""
        if isinstance(event, TimerFired):
            return (event.instance, Status.FAILED) in decision.changed
        return isinstance(event, _RESULTS) or (isinstance(event, StatusSet) and event.status in CLOSES_ATTEMPT)

    def _record_status(self, number: int, event: Event, name: str, status: str) -> None:
        task, _ = parse_instance_name(name)
        if name in self.history:
            self.statuses[task][self.history[name][-1][1]] -= 1
        else:
            self._beginnings[name] = self._beginning(number, event, name)
        self.statuses[task][status] += 1
        self.history[name].append((number, status))
        if status == Status.SCHEDULED:
            self.scheduled[task] = number

    def _beginning(self, number: int, event: Event, name: str) -> Beginning:
        loaded = self.session.instances.find(name)
        instance = loaded.instance
        parent = None if instance.parent < 0 else instance_name(loaded.task, instance.parent)
        replaced, imported = replaced_kwargs(event) is not None, isinstance(event, SessionImported)
        return Beginning(
            number, frozenset(instance.kwargs), frozenset(instance.unless_seen), parent, replaced, imported
        )

    def _record_fire(self, number: int, trigger: str) -> None:
        self._fires[trigger].append(number)
        for rule in self.session.plan.by_trigger.get(trigger, ()):
            if trigger in rule.after_set:
                self._offers["after", rule.name, trigger].append(number)
            if trigger in rule.unless_set:
                self._offers["unless", rule.name, trigger].append(number)

    def _giving_event(self, name: str, trigger: str) -> int | None:
        beginning = self._beginnings[name]
        if trigger not in beginning.have:
            return self._offered(name, "after", trigger)
        if beginning.replaced or beginning.imported:
            return beginning.event
        if beginning.parent is not None:
            return self._giving_event(beginning.parent, trigger)
        fires = self._fires[trigger]
        return fires[bisect_right(fires, beginning.event) - 1]

    def _witnessing_event(self, name: str, trigger: str) -> int | None:
        beginning = self._beginnings[name]
        if trigger not in beginning.seen:
            return self._offered(name, "unless", trigger)
        if beginning.imported:
            return beginning.event
        if beginning.parent is not None:
            return self._witnessing_event(beginning.parent, trigger)
        return self._fires[trigger][0]

    def _offered(self, name: str, directive: str, trigger: str) -> int | None:
        """Returns the first fire that the rule used while the instance waited."""
        task, _ = parse_instance_name(name)
        offers = self._offers[directive, task, trigger]
        first = bisect_right(offers, self._beginnings[name].event)
        return next((number for number in offers[first:] if self._waited(name, number)), None)

    def _waited(self, name: str, number: int) -> bool:
        """Returns whether the instance waited when the event fired its trigger.

        If the event is about the instance itself, it sets the instance's status before it fires.
        """
        history = self.history[name]
        during = [status for event, status in history if event == number and self._about[number] == name]
        before = [status for event, status in history if event < number]
        return (during[:1] or before[-1:]) == [Status.UNSTARTED]
