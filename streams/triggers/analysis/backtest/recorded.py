"""Folds a recorded session and finds its runs and the events that were their results."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
from msgspec import Struct

from triggers.analysis.editions import require_edition_1
from triggers.core.commands import Decision, Outcome, RunTask, SetTimer
from triggers.core.engine import apply
from triggers.core.events import Event, TimerFired
from triggers.core.instance_names import parse_instance_name
from triggers.core.results import TaskResult
from triggers.core.state.plans import Plans
from triggers.core.state.rows import MemoryRows
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


class Timer(NamedTuple):
    """A timer that a session set: for a cooldown, for an attempt or, without an instance, for the session itself."""

    instance: str
    attempt: int
    due: int

    @property
    def task(self) -> str:
        """The instance's task; empty if the timer is the session's own."""
        return self.instance.rpartition("#")[0]


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

    def apply(self, event: Event) -> Decision | None:
        """Applies the event. Returns None, with the session unchanged, if the engine refuses it."""
        try:
            decision = apply(self.session, event)
        except (CallError, NotFound):
            self.session = self._load()
            return None
        self._rows.write(self.session.changes())
        return decision

    def _load(self) -> Session:
        return Session(self._uid, self._rows, self._plans)

    def current(self, instance: str) -> int:
        """Returns the instance's current attempt, or 0 if there is no such instance."""
        try:
            return self.session.instances.find(instance).instance.attempt
        except NotFound:
            return 0


class Recorded:
    """The runs, timers and results of a recorded session."""

    def __init__(self, uid: str, events: Sequence[Event], plans: Plans) -> None:
        self.runs: list[Run] = []
        self.timers: defaultdict[int, list[Timer]] = defaultdict(list)
        """The timers that an event set, by its position."""
        self.owners: list[Attempt | Timer | None] = []
        """For each event, the attempt or timer to which it belonged, or None if it had none or was not applied."""
        self.results: defaultdict[Attempt, list[TaskResult]] = defaultdict(list)
        """The events that were applied as results of an attempt, in order."""
        self.refused: set[int] = set()
        """The numbers of refused events."""
        self._fold = Fold(uid, plans)
        for number, event in enumerate(events):
            self._apply(number, event)

    def _apply(self, number: int, event: Event) -> None:
        owner = self._owner(event)
        decision = self._fold.apply(event)
        require_edition_1(self._fold.session.plan, "backtest")
        counted = decision is not None and decision.outcome not in {Outcome.STALE, Outcome.DUPLICATE}
        self.owners.append(owner if counted else None)
        if decision is None:
            self.refused.add(number)
            return
        if counted and isinstance(owner, Attempt) and isinstance(event, TaskResult):
            self.results[owner].append(event)
        for command in decision.commands:
            self._record(command, event)

    def _owner(self, event: Event) -> Attempt | Timer | None:
        if isinstance(event, TaskResult):
            return Attempt(event.instance, event.attempt or self._fold.current(event.instance))
        return Timer(event.instance, event.attempt, event.due) if isinstance(event, TimerFired) else None

    def _record(self, command: RunTask | SetTimer, event: Event) -> None:
        if isinstance(command, SetTimer):
            self.timers[event.position].append(Timer(command.instance, command.attempt, command.due))
        else:
            self.runs.append(run_of(command, event.time, event.position))


def run_of(command: RunTask, time: int, position: int | None) -> Run:
    return Run(
        task=parse_instance_name(command.instance)[0],
        instance=command.instance,
        attempt=command.attempt,
        run=command.run,
        using=command.using,
        kwargs=msgspec.json.encode(msgspec.json.decode(command.kwargs), order="deterministic"),
        time=time,
        position=position,
    )
