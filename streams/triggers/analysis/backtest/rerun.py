"""Folds a recorded session under other rules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from heapq import heappop, heappush
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from triggers.analysis.backtest.assumptions import Assumptions, NewRules, ResultSource
from triggers.analysis.backtest.free_runs import FreeRuns
from triggers.analysis.backtest.recorded import (
    Attempt,
    Fold,
    Forwarded,
    Recorded,
    Run,
    forwarded,
    log_time,
    run_of,
)
from triggers.analysis.backtest.timers import ActiveTimers, NewTimers, Timer, timer_of
from triggers.core.commands import RunTask
from triggers.core.edition_2_plan import OUTCOMES
from triggers.core.events import (
    CancelRequested,
    CloneRequested,
    Event,
    MetadataUpdated,
    ReplayRequested,
    SkipRequested,
    StatusSet,
    TaskFinished,
    TimerFired,
)
from triggers.core.plan import Plan
from triggers.core.results import TaskResult
from triggers.core.state.plans import Plans
from triggers.core.timer_kinds import TimerKind

_WATCHING: Final = frozenset({TimerKind.SCHEDULED, TimerKind.RUNNING})
_OPERATIONS: Final = (ReplayRequested, SkipRequested, StatusSet, CancelRequested, MetadataUpdated, CloneRequested)


class ExpressionFailure(Struct):
    """An expression that could not be evaluated under the new rules, so that it counted as false."""

    expression: str
    reason: str
    """That of the first failure."""
    times: int = 0


class NewRun(Struct, frozen=True, kw_only=True):
    """A run under the new rules."""

    run: Run
    same: int | None
    """The number of the recorded run with the same task, target and kwargs, or None if there is none."""
    source: ResultSource


class Rerun:
    """The course of a recorded session under other rules.

    Events of applications and operators are taken from the log. Results follow the assumptions; where the same event
    causes the same run, its recorded results keep their times. `timers` says when timers fire.
    """

    def __init__(self, uid: str, recorded: Recorded, assumptions: Assumptions, plans: Plans) -> None:
        self.runs: list[NewRun] = []
        self.refused = 0
        """The number of recorded operations that the session now refuses."""
        self.cancelled: dict[Attempt, int] = {}
        """The times at which attempts were cancelled."""
        self.forwards: list[Forwarded] = []
        self.failures: dict[str, ExpressionFailure] = {}
        """The evaluations that failed, by expression."""
        self._recorded = recorded
        self._assumptions = assumptions
        self._fold = Fold(uid, plans)
        self._number: int | None = None
        """The number of the recorded event that is being applied, or None if the event is assumed."""
        self._position: int | None = None
        self._in_place: dict[Attempt, Attempt] = {}
        """The new attempt that takes a recorded attempt's results, by recorded attempt."""
        self._timers = NewTimers(recorded.timers)
        self._active = ActiveTimers()
        self._unknown: set[Attempt] = set()
        """The attempts whose result is not known, so that nobody knows whether they are overdue."""
        self._names: dict[str, str] = {}
        """The new instance that corresponds to a recorded one, by recorded instance."""
        self._due: list[tuple[int, tuple[int, int, str], int, Event]] = []
        """A heap of assumed events by time and rank, then in the order in which they were assumed."""
        self._assumed = 0
        self._last = 0
        """The time of the latest recorded event. Which timers were due after it is not known."""
        self._free = FreeRuns(recorded.runs)

    @property
    def plan(self) -> Plan:
        """The present rules; after `fold`, those at the end."""
        return self._fold.session.plan

    def fold(self, events: Sequence[Event], rules: NewRules) -> None:
        """Applies the recorded events under the new rules, and the assumed events between them."""
        for number, event in rules.substitute(list(events)):
            time = log_time(event)
            self._last = max(self._last, time)
            self._catch_up(time)
            self._number, self._position = number, event.position
            mine = self._mine(number, event)
            if mine is not None:
                self._apply(mine)
            for timer in self._timers.take_held(number):
                self._assume_timer(timer)
        self._catch_up(None)
        self._forget_uncancelled()

    def unknown_attempts(self) -> set[Attempt]:
        """Returns the attempts whose result is not known."""
        return {new.run.key for new in self.runs if new.source is ResultSource.UNKNOWN}

    def open_timers(self) -> list[Timer]:
        """Returns the timers that would start a run or end a wait, and that are due after the last event.

        Those that stand at the end of the recorded session, too, are not among them.
        """
        return [timer for timer in self._timers.open(self._active.timers) if not self._watches(timer)]

    def unjudged(self) -> set[str]:
        """Returns the tasks that depend, directly or not, on an unknown result or on what comes after the log."""
        late = {timer.task for timer in self.open_timers()}
        return late | tasks_after(self.plan, late | {attempt.task for attempt in self.unknown_attempts()})

    def results(self) -> dict[str, int]:
        """Returns the number of runs by how their result is known."""
        return dict(Counter(str(new.source) for new in self.runs))

    # -- events -------------------------------------------------------------------------------------------------------

    def _mine(self, number: int, event: Event) -> Event | None:
        """Returns the event as it happens under the new rules, or None if it does not, or comes at another time."""
        owner = self._recorded.owners[number]
        if isinstance(event, TaskResult):
            mine = self._in_place.get(owner) if isinstance(owner, Attempt) else None
            return None if mine is None else replace(event, instance=mine.instance, attempt=mine.number)
        if isinstance(event, TimerFired):
            timer = self._fires(number, owner) if isinstance(owner, Timer) else None
            return None if timer is None else replace(timer.fired(event.time, event.position), recorded=event.recorded)
        if isinstance(event, _OPERATIONS):
            return replace(event, instance=self._names.get(event.instance, event.instance))
        return event

    def _apply(self, event: Event) -> None:
        decision = self._fold.apply(event)
        if decision is None:
            self.refused += self._number not in self._recorded.refused
            return
        time = log_time(event)
        for command in decision.commands:
            if isinstance(command, RunTask):
                self._run(command, time)
        self.cancelled |= {Attempt(cancel.instance, cancel.attempt): time for cancel in decision.cancels}
        self.forwards += [forwarded(forward, time) for forward in decision.forwards]
        for expression, reason in decision.failures:
            self.failures.setdefault(expression, ExpressionFailure(expression, reason)).times += 1
        came, _ = self._active.record_changes(self._fold.changes)
        for timer in came:
            if not self._timers.match(timer, self._position):
                self._assume_timer(timer)

    def _catch_up(self, time: int | None) -> None:
        """Applies the events that are assumed to have come by that time, or all of them if `time` is None."""
        while self._due and (time is None or self._due[0][0] <= time):
            due, _, _, event = heappop(self._due)
            self._number = self._position = None
            if not isinstance(event, TimerFired) or (due <= self._last and self._comes(timer_of(event))):
                self._apply(event)

    def _assume(self, event: Event, rank: tuple[int, int, str] = (1, 0, "")) -> None:
        self._assumed += 1
        heappush(self._due, (event.time, rank, self._assumed, event))

    def _assume_timer(self, timer: Timer) -> None:
        self._assume(timer.fired(timer.due, -1), timer.rank)

    def _comes(self, timer: Timer) -> bool:
        """Returns whether a due timer fires: it stands, and does not watch an attempt whose result is not known."""
        return timer in self._active.timers and not (self._watches(timer) and self._attempt(timer) in self._unknown)

    def _watches(self, timer: Timer) -> bool:
        """Returns whether the timer is for an attempt that may be overdue."""
        if timer.kind or not timer.instance:
            return timer.kind in _WATCHING
        return self._fold.session.instances.find(timer.instance).instance.deadline == timer.due

    def _attempt(self, timer: Timer) -> Attempt:
        return Attempt(timer.instance, self._fold.current_attempt(timer.instance))

    def _forget_uncancelled(self) -> None:
        """Marks the result of a run as unknown if it was cancelled in the recorded session and is not cancelled now."""
        cancelled = self._recorded.cancelled
        for number, new in enumerate(self.runs):
            same = None if new.same is None else self._recorded.runs[new.same].key
            if same in cancelled and self._fold.awaits(new.run.key):
                self.runs[number] = replace(new, source=ResultSource.UNKNOWN)

    # -- commands -----------------------------------------------------------------------------------------------------

    def _fires(self, number: int, fired: Timer) -> Timer | None:
        """Returns the timer that fires by a recorded event, or None. A second event of a timer does nothing."""
        if fired.due and self._recorded.timers.fired_at.get(fired, number) != number:
            return None
        return self._recorded.timers.find(fired, self._timers.by_recorded)

    def _run(self, command: RunTask, time: int) -> None:
        run = run_of(command, time, self._position)
        same = self._free.take(run)
        if same is not None:
            self._names[self._recorded.runs[same].instance] = run.instance
        self.runs.append(NewRun(run=run, same=same, source=self._source_of(run, same)))

    def _source_of(self, run: Run, same: int | None) -> ResultSource:
        if same is not None:
            return self._as_recorded(run, self._recorded.runs[same])
        if (stub := self._assumptions.stubs.get(run.task)) is not None:
            done = TaskFinished(instance=run.instance, attempt=run.attempt, result=stub)
            self._assume(replace(done, time=run.time, position=-1))
            return ResultSource.STUB
        if self._assumptions.reuse and (other := self._other(run)) is not None:
            self._as_long_after(run, other)
            return ResultSource.REUSED
        self._unknown.add(run.key)
        return ResultSource.UNKNOWN

    def _as_recorded(self, run: Run, same: Run) -> ResultSource:
        if run.position is not None and run.position == same.position:
            self._in_place[same.key] = run.key
            return ResultSource.RECORDED
        self._as_long_after(run, same)
        return ResultSource.MOVED

    def _as_long_after(self, run: Run, of: Run) -> None:
        for event in self._recorded.results.get(of.key, ()):
            due = run.time + max(0, log_time(event) - of.time)
            mine = replace(event, instance=run.instance, attempt=run.attempt, time=due, recorded=0)
            self._assume(replace(mine, position=-1, id=None))

    def _other(self, run: Run) -> Run | None:
        """Returns a recorded run of the same task and target that finished, preferably of this instance, or None."""
        candidates = [one for one in self._recorded.runs if (one.task, one.run) == (run.task, run.run)]
        finished = [one for one in candidates if _finished(self._recorded.results.get(one.key, ()))]
        return min(finished, key=lambda one: one.instance != run.instance, default=None)


def tasks_after(plan: Plan, tasks: Collection[str]) -> set[str]:
    """Returns the tasks that wait, directly or indirectly, for what these tasks fire."""
    ahead, users = sorted(tasks), set[str]()
    if ahead and plan.edition_2 is not None and plan.edition_2.finalize:
        ahead.append(plan.edition_2.finalize)
    while ahead:
        name = ahead.pop()
        triggers = [name] if plan.edition == 1 else [name, *(f"{name}:{status}" for status in OUTCOMES)]
        found = {task.name for trigger in triggers for task in plan.by_trigger.get(trigger, ())} - users
        users |= found
        ahead += found
    return users


def _finished(results: Sequence[TaskResult]) -> bool:
    return any(isinstance(event, TaskFinished) for event in results)
