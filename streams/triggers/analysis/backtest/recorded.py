"""Folds a recorded session and finds its runs and the events that were their results."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
from msgspec import Struct

from triggers.analysis.backtest.timers import RecordedTimers, Timer, timer_of
from triggers.core.commands import ForwardTrigger, Outcome, RunTask
from triggers.core.decision import Decision
from triggers.core.engine import apply
from triggers.core.events import Event, TimerFired
from triggers.core.instance_names import parse_instance_name
from triggers.core.results import TaskResult
from triggers.core.state.plans import Plans
from triggers.core.state.rows import Changes, MemoryRows
from triggers.core.state.session import Session
from triggers.errors import CallError, NotFound


class Attempt(NamedTuple):
    """One attempt of an instance."""

    instance: str
    number: int

    @property
    def task(self) -> str:
        """The instance's task."""
        return parse_instance_name(self.instance)[0]


class Run(Struct, frozen=True, kw_only=True):
    """One command that a session issued."""

    task: str
    instance: str
    attempt: int
    run: str
    using: str | None
    kwargs: bytes
    """JSON with sorted keys, so that equal kwargs have equal bytes."""
    time: int
    position: int | None
    """The position of the recorded event that caused it, or None if that event is assumed."""

    @property
    def key(self) -> Attempt:
        """The attempt that its results name."""
        return Attempt(self.instance, self.attempt)


class Fold:
    """Folds a session in memory, event by event."""

    def __init__(self, uid: str, plans: Plans) -> None:
        self._uid = uid
        self._rows = MemoryRows()
        self._plans = plans
        self.session = self._load()
        self.changes: Changes = {}
        """The rows that the last event changed."""

    def apply(self, event: Event) -> Decision | None:
        """Applies the event. Returns None, with the session unchanged, if the engine refuses it."""
        try:
            decision = apply(self.session, event)
        except (CallError, NotFound):
            self.session, self.changes = self._load(), {}
            return None
        self.changes = self.session.changes()
        self._rows.write(self.changes)
        return decision

    def _load(self) -> Session:
        return Session(self._uid, self._rows, self._plans)

    def current_attempt(self, instance: str) -> int:
        """Returns the instance's current attempt, or 0 if there is no such instance."""
        try:
            return self.session.instances.find(instance).instance.attempt
        except NotFound:
            return 0

    def awaits(self, attempt: Attempt) -> bool:
        """Returns whether the session still expects a result of the attempt."""
        try:
            return self.session.instances.find(attempt.instance).instance.awaits(attempt.number)
        except NotFound:
            return False


class Recorded:
    """The runs, timers and results of a recorded session."""

    def __init__(self, uid: str, events: Sequence[Event], plans: Plans) -> None:
        self.runs: list[Run] = []
        self.timers = RecordedTimers()
        self.owners: list[Attempt | Timer | None] = []
        """For each event, the attempt or timer to which it belonged, or None if it had none or was not applied."""
        self.results: defaultdict[Attempt, list[TaskResult]] = defaultdict(list)
        """The events that were applied as results of an attempt, in order."""
        self.refused: set[int] = set()
        """The numbers of refused events."""
        self.cancelled: dict[Attempt, int] = {}
        """The times at which attempts were cancelled."""
        self.forwards: list[Forwarded] = []
        self._fold = Fold(uid, plans)
        for number, event in enumerate(events):
            self._apply(number, event)

    def _apply(self, number: int, event: Event) -> None:
        owner = self._owner(event)
        if isinstance(owner, Timer):
            self.timers.record_fired(number, owner, log_time(event))
        decision = self._fold.apply(event)
        counted = decision is not None and decision.outcome not in {Outcome.STALE, Outcome.DUPLICATE}
        late = isinstance(owner, Timer) and self.timers.fired_at.get(owner) == number
        self.owners.append(owner if counted or late else None)
        if decision is None:
            self.refused.add(number)
            return
        self.timers.record_changes(number, event.position, self._fold.changes)
        if counted and isinstance(owner, Attempt) and isinstance(event, TaskResult):
            self.results[owner].append(event)
        self._record(decision, event)

    def _owner(self, event: Event) -> Attempt | Timer | None:
        if isinstance(event, TaskResult):
            return Attempt(event.instance, event.attempt or self._fold.current_attempt(event.instance))
        return timer_of(event) if isinstance(event, TimerFired) else None

    def _record(self, decision: Decision, event: Event) -> None:
        time, runs = log_time(event), self.runs
        runs += [run_of(one, time, event.position) for one in decision.commands if isinstance(one, RunTask)]
        self.cancelled |= {Attempt(cancel.instance, cancel.attempt): time for cancel in decision.cancels}
        self.forwards += [forwarded(forward, time) for forward in decision.forwards]


def log_time(event: Event) -> int:
    """Returns when the event came into the log, from which timers count."""
    return event.recorded or event.time


class Forwarded(NamedTuple):
    """A trigger that a session fired in another one."""

    session: str
    trigger: str
    kwargs: bytes
    """JSON with sorted keys."""
    time: int


def forwarded(forward: ForwardTrigger, time: int) -> Forwarded:
    return Forwarded(forward.session, forward.trigger, _sorted(forward.kwargs), time)


def run_of(command: RunTask, time: int, position: int | None) -> Run:
    return Run(
        task=parse_instance_name(command.instance)[0],
        instance=command.instance,
        attempt=command.attempt,
        run=command.run,
        using=command.using,
        kwargs=_sorted(command.kwargs),
        time=time,
        position=position,
    )


def _sorted(text: bytes) -> bytes:
    return msgspec.json.encode(msgspec.json.decode(text), order="deterministic")
