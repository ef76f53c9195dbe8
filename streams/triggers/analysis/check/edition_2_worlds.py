"""The worlds of edition 2, in which time passes: timers are moves, too.

A timer is due after everything that came before, and timers are due in the order of their times. Events may come at
any moment between two due times. What matters of that moment is only which timers it sets are due before which others,
and which contributions are too old for a window, so a few moments stand for all of them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from enum import StrEnum
from math import inf
from typing import Final

from msgspec import structs

from triggers.analysis.check.result_choices import ends_of, result_event, stalls_of
from triggers.analysis.check.world_keys import WorldKeys, received
from triggers.analysis.check.worlds import (
    EndlessCascade,
    FinishedMove,
    FiredMove,
    IdleMove,
    LaterMove,
    Move,
    Results,
    SeenInstance,
    StalledMove,
    TimerMove,
    World,
    delete_session,
)
from triggers.core.commands import RunTask, SetTimer
from triggers.core.engine import apply
from triggers.core.events import (
    ConfigurationUpdated,
    Event,
    TaskStarted,
    TimerFired,
    TriggerFired,
)
from triggers.core.instance_names import parse_instance_name
from triggers.core.plan import Plan
from triggers.core.state.plans import Plans
from triggers.core.state.rows import MemoryRows, due_timers
from triggers.core.state.session import Session
from triggers.core.statuses import Status

UID: Final = "local"
START: Final = 1_767_225_600_000
"""The time of the rules, in milliseconds: 2026-01-01T00:00:00Z, as in `triggers.testing.LocalSession`."""
MAX_WAITS: Final = 3
"""The moments between two due times at which an event is tried, besides at once."""
_MAX_CASCADES: Final = 1_000
_MAX_MOVES: Final = 300
"""The number of moves in one order; a longer one counts as endless."""
_NO_END: Final = 1 << 62
Pending = tuple[FinishedMove, str]


class Pace(StrEnum):
    """How much time passes between events."""

    NONE = "none"
    """All events come before the first timer is due."""
    ANY = "any"
    """Timers may be due before, between and after the events that follow."""


class Edition2Worlds:
    """The worlds of rules of edition 2 and some events."""

    def __init__(
        self,
        plan: Plan,
        events: Sequence[tuple[FiredMove, int]],
        results: Results,
        pace: Pace,
        failing: Collection[str] = (),
    ) -> None:
        """`events` has each kind and how often it comes. `failing` are tasks that may fail although no rule asks."""
        self._plan = plan
        self._plans = Plans()
        self._kinds = [kind for kind, _ in events]
        self._counts = tuple(count for _, count in events)
        self._results = results
        self._pace = pace
        self._keys = WorldKeys(plan)
        named = frozenset() if plan.edition_2 is None else plan.edition_2.named
        failing = {f"{task}:{Status.FAILED}" for task in failing}
        self._ends = {task: tuple(ends_of(task, named | failing)) for task in plan.tasks}
        self._stalls = {name: stalls_of(plan, rule) for name, rule in plan.tasks.items()}
        self._ttl = plan.limits.session_ttl
        self._durations = sorted(set(self._timer_durations()))
        self.was_cut = False
        """True if there were more moments than were tried."""

    def _timer_durations(self) -> Iterator[int]:
        """Yields the durations after which the timers that these worlds may have are due."""
        for name, task in self._plan.tasks.items():
            if (rule := task.edition_2) is None:
                continue
            if rule.delay is not None:
                yield rule.delay.wait
            if rule.deadline is not None:
                yield rule.deadline.wait
            if rule.retry is not None and Status.FAILED in self._ends[name]:
                yield rule.retry.wait
            if self._results is Results.ANY_TIME or self._stalls[name]:
                yield from (limit for limit in (task.timeouts.scheduled, task.timeouts.running) if limit)
        if self._ttl:
            yield self._ttl

    @property
    def has_time(self) -> bool:
        """Returns whether time can make a difference."""
        return bool(self._durations or self._keys.windows)

    def first(self) -> World:
        """Returns the world in which no event has come yet."""
        rows = MemoryRows()
        self._apply(rows, ConfigurationUpdated(configuration=self._plan.text, time=START))
        return self._world(rows, self._counts, (), (), 0)

    def moves(self, world: World) -> list[tuple[Move, int]]:
        """Returns the possible next moves, each with its number of events. Results of equal runs are one move."""
        if world.moves > _MAX_MOVES:
            raise EndlessCascade(f"the tasks run on without end, after {_MAX_MOVES} events, results and timers")
        if world.deleted:
            return []
        results = list(self._result_moves(world))
        if self._results is Results.AT_ONCE and results:
            return results
        events = [(kind, count) for kind, count in zip(self._kinds, world.left, strict=True) if count]
        waits = self._waits(world) if events and self._pace is Pace.ANY else []
        later: list[tuple[Move, int]] = [(LaterMove(kind, wait), count) for wait in waits for kind, count in events]
        due = self._next_due(world) if self._pace is Pace.ANY or not events else None
        timers: list[tuple[Move, int]] = [] if due is None else [(due, 1)]
        return [*events, *later, *timers, *results]

    def after(self, world: World, move: Move) -> World:
        """Returns the world after one of its moves. Raises EndlessCascade."""
        rows, left, failures = MemoryRows(world.rows), world.left, world.failures
        pending = list(world.pending)
        match move:
            case FinishedMove():
                instance = self.instance_of(world, move)
                pending += self._apply(rows, result_event(instance, move.status), self._now(rows))
                if move.status != Status.FINISHED:
                    failures = tuple(sorted((*failures, f"{move.task}:{move.status}")))
            case StalledMove():
                pending, failures = self._stall(rows, world, move)
            case IdleMove():
                return delete_session(world)
            case TimerMove():
                pending += self._run_due(rows, world.timers[0].due)
            case _:
                fired, wait = (move.fired, move.wait) if isinstance(move, LaterMove) else (move, 0)
                at = self._kinds.index(fired)
                left = (*left[:at], left[at] - 1, *left[at + 1 :])
                event = TriggerFired(trigger=fired.trigger, kwargs=fired.kwargs)
                pending += self._apply(rows, event, self._now(rows) + wait)
        return self._world(rows, left, self._settle(rows, pending), failures, world.moves + 1)

    @staticmethod
    def instance_of(world: World, move: FinishedMove | StalledMove) -> str:
        """Returns the instance whose attempt comes to an end in the move, or stalls."""
        return next(name for one, name in world.pending if (one.task, one.kwargs) == (move.task, move.kwargs))

    # -- results ------------------------------------------------------------------------------------------------------

    def _result_moves(self, world: World) -> Iterator[tuple[Move, int]]:
        """Yields the results that may come. At once, only the first of the tasks that have a choice is looked at."""
        pending = world.pending[:1] if self._results is Results.AT_ONCE else world.pending
        kinds = [one for one, _ in pending]
        for one in dict.fromkeys(kinds):
            for status in self._ends[one.task]:
                yield FinishedMove(one.task, one.kwargs, status), kinds.count(one)
            for status in self._stalls[one.task] if self._pace is Pace.ANY else ():
                if self._results is Results.AT_ONCE or self._may_begin(world, one, status):
                    yield StalledMove(one.task, one.kwargs, status), kinds.count(one)

    def _may_begin(self, world: World, one: FinishedMove, status: str) -> bool:
        """Returns whether an attempt can begin whose result may come at any time. Before that, it waits anyway."""
        instance = self._session(world.rows).instances.find(self.instance_of(world, one)).instance
        return status == Status.RUNNING and instance.status == Status.SCHEDULED

    def _stall(self, rows: MemoryRows, world: World, move: StalledMove) -> tuple[list[Pending], tuple[str, ...]]:
        """Lets an attempt begin, or not even that. Its result is awaited no longer, unless it may come at any time."""
        instance = self.instance_of(world, move)
        if move.status == Status.RUNNING:
            self._apply(rows, TaskStarted(instance=instance), self._now(rows))
        if self._results is Results.ANY_TIME:
            return list(world.pending), world.failures
        pending = [each for each in world.pending if each[1] != instance]
        return pending, tuple(sorted((*world.failures, f"{move.task}:{move.status}")))

    def _settle(self, rows: MemoryRows, pending: list[Pending]) -> tuple[Pending, ...]:
        """Returns the results that are still to come. At once, those without a choice come now."""
        for _ in range(_MAX_CASCADES):
            pending = self._awaited(rows, pending)
            sure = next((one for one in pending if not self._has_choice(one[0].task)), None)
            if self._results is Results.ANY_TIME or sure is None:
                return tuple(pending) if self._results is Results.AT_ONCE else tuple(sorted(pending))
            pending += self._apply(rows, result_event(sure[1], Status.FINISHED), self._now(rows))
        raise EndlessCascade("the tasks that one event starts run again without end")

    def _has_choice(self, task: str) -> bool:
        return len(self._ends[task]) > 1 or (self._pace is Pace.ANY and bool(self._stalls[task]))

    def _awaited(self, rows: MemoryRows, pending: Iterable[Pending]) -> list[Pending]:
        """Returns the runs whose result is still expected, each once."""
        session, by_instance = self._session(rows), {name: one for one, name in pending}
        return [(one, name) for name, one in by_instance.items() if session.instances.find(name).instance.awaits(0)]

    # -- time ---------------------------------------------------------------------------------------------------------

    def _next_due(self, world: World) -> Move | None:
        """Returns what happens if no event comes. An idle session is deleted before timers of the same moment.

        It is not deleted before the first of the events: that would be an outcome of any rules with `sessionTtl`.
        """
        timer, goes_on = next(iter(world.timers), None), any(world.left) or world.pending or world.timers
        if (
            self._ttl
            and goes_on
            and world.left != self._counts
            and (timer is None or world.now + self._ttl <= timer.due)
        ):
            return IdleMove(self._ttl)
        return None if timer is None else TimerMove(timer.kind, parse_instance_name(timer.instance)[0])

    def _run_due(self, rows: MemoryRows, now: int) -> list[Pending]:
        """Fires the timers that are due, in their order; some may set or stop others."""
        started: list[Pending] = []
        for _ in range(_MAX_CASCADES):
            if (timer := next(_timers(rows, now), None)) is None:
                return started
            event = TimerFired(instance=timer.instance, attempt=timer.attempt, due=timer.due, kind=timer.kind)
            started += self._apply(rows, event, now)
        raise EndlessCascade("the timers that are due at one moment set each other without end")

    def _waits(self, world: World) -> list[int]:
        """Returns how long an event may wait so that it makes a difference, but not until the next timer is due."""
        now = world.now
        until = min(world.timers[0].due if world.timers else inf, world.now + self._ttl if self._ttl else inf)
        moments = {clock + window + 1 for clock in world.clocks for window in self._keys.windows}
        moments |= {timer.due - duration + 1 for timer in world.timers for duration in self._durations}
        found = sorted(moment - now for moment in moments if now < moment < until)
        self.was_cut |= len(found) > MAX_WAITS
        return found[:MAX_WAITS]

    def _now(self, rows: MemoryRows) -> int:
        return self._session(rows).header.clock

    # -- engine -------------------------------------------------------------------------------------------------------

    def _session(self, rows: MemoryRows) -> Session:
        return Session(UID, rows, self._plans)

    def _apply(self, rows: MemoryRows, event: Event, now: int = START) -> list[Pending]:
        """Applies an event. Returns the runs that it started."""
        session = self._session(rows)
        decision = apply(session, structs.replace(event, time=now))
        rows.write(session.changes())
        runs = [command for command in decision.commands if isinstance(command, RunTask)]
        return [(FinishedMove(parse_instance_name(run.instance)[0], run.kwargs), run.instance) for run in runs]

    def _world(
        self,
        rows: MemoryRows,
        left: tuple[int, ...],
        pending: tuple[Pending, ...],
        failures: tuple[str, ...],
        moves: int,
    ) -> World:
        session = self._session(rows)
        return World(
            rows=rows,
            left=left,
            pending=pending,
            key=(left, failures, tuple(one for one, _ in pending), self._keys.key(session)),
            instances=tuple(sorted(_seen(session))),
            timers=tuple(_timers(rows, _NO_END)),
            failures=failures,
            clocks=frozenset(self._keys.clocks(session)),
            moves=moves,
            now=session.header.clock,
        )


def _seen(session: Session) -> Iterator[SeenInstance]:
    for loaded in session.instances.scan():
        own = loaded.instance
        yield SeenInstance(loaded.task, str(own.status), own.attempt > 0, received(session, own))


def _timers(rows: MemoryRows, until: int) -> Iterator[SetTimer]:
    """Yields the timers of instances; that of the session itself would delete it."""
    return (timer for timer in due_timers(rows, until) if timer.instance)
