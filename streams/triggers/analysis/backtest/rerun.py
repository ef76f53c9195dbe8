"""Folds a recorded session under other rules."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from heapq import heappop, heappush

from msgspec import Struct
from msgspec.structs import replace

from triggers.analysis.backtest.assumptions import Assumptions, Known, NewRules
from triggers.analysis.backtest.recorded import Attempt, Fold, Recorded, Run, Timer, run_of
from triggers.core.commands import RunTask, SetTimer
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

_OPERATIONS = (ReplayRequested, SkipRequested, StatusSet, CancelRequested, MetadataUpdated, CloneRequested)


class NewRun(Struct, frozen=True, kw_only=True):
    """A run under the new rules."""

    run: Run
    same: int | None
    """The number of the recorded run with the same task, target and kwargs, or None if there is none."""
    known: Known


class Rerun:
    """The course of a recorded session under other rules.

    Events of applications and operators are taken from the log. Results follow the assumptions; where the same event
    causes the same run, its recorded results keep their times.
    """

    def __init__(self, uid: str, recorded: Recorded, assumptions: Assumptions, plans: Plans) -> None:
        self.runs: list[NewRun] = []
        self.refused = 0
        """The number of recorded operations that the session now refuses."""
        self._recorded = recorded
        self._assumptions = assumptions
        self._fold = Fold(uid, plans)
        self._number: int | None = None
        """The number of the recorded event that is being applied, or None if the event is assumed."""
        self._position: int | None = None
        self._in_place: dict[Attempt, Attempt] = {}
        """The new attempt that takes a recorded attempt's results, by recorded attempt."""
        self._timers: dict[Timer, Timer] = {}
        """The new timer that is due at the same event as a recorded timer, by recorded timer."""
        self._names: dict[str, str] = {}
        """The new instance that corresponds to a recorded one, by recorded instance."""
        self._due: list[tuple[int, int, Event]] = []
        """A heap of assumed events by time, then in the order in which they were assumed."""
        self._assumed = 0
        self._last = 0
        """The time of the latest recorded event. Which timers were due after it is not known."""
        self._free = _Free(recorded.runs)

    @property
    def plan(self) -> Plan:
        """The present rules; after `fold`, those at the end."""
        return self._fold.session.plan

    def fold(self, events: Sequence[Event], rules: NewRules) -> None:
        """Applies the recorded events under the new rules, and the assumed events between them."""
        for number, event in rules.instead(list(events)):
            self._last = max(self._last, event.time)
            self._catch_up(event.time)
            self._number, self._position = number, event.position
            mine = self._mine(number, event)
            if mine is not None:
                self._apply(mine)
        self._catch_up(None)

    def unjudged(self) -> set[str]:
        """Returns the tasks that depend, directly or indirectly, on an unknown result."""
        ahead = [new.run.task for new in self.runs if new.known is Known.UNKNOWN]
        tasks: set[str] = set()
        while ahead:
            users = {task.name for task in self.plan.by_trigger.get(ahead.pop(), ())} - tasks
            tasks |= users
            ahead += users
        return tasks

    def results(self) -> dict[str, int]:
        """Returns the number of runs by how their result is known."""
        return dict(Counter(str(new.known) for new in self.runs))

    # -- events -------------------------------------------------------------------------------------------------------

    def _mine(self, number: int, event: Event) -> Event | None:
        """Returns the event as it happens under the new rules, or None if it does not, or comes at another time."""
        owner = self._recorded.owners[number]
        if isinstance(event, TaskResult):
            mine = self._in_place.get(owner) if isinstance(owner, Attempt) else None
            return None if mine is None else replace(event, instance=mine.instance, attempt=mine.number)
        if isinstance(event, TimerFired):
            timer = self._fires(owner) if isinstance(owner, Timer) else None
            return None if timer is None else _timer_fired(timer, event.time, event.position)
        if isinstance(event, _OPERATIONS):
            return replace(event, instance=self._names.get(event.instance, event.instance))
        return event

    def _apply(self, event: Event) -> None:
        decision = self._fold.apply(event)
        if decision is None:
            self.refused += self._number not in self._recorded.refused
            return
        for command in decision.commands:
            if isinstance(command, SetTimer):
                self._wait(command)
            else:
                self._run(command, event.time)

    def _catch_up(self, time: int | None) -> None:
        """Applies the events that are assumed to have come by that time, or all of them if `time` is None."""
        while self._due and (time is None or self._due[0][0] <= time):
            due, _, event = heappop(self._due)
            self._number = self._position = None
            if due <= self._last or not isinstance(event, TimerFired):
                self._apply(event)

    def _assume(self, event: Event) -> None:
        self._assumed += 1
        heappush(self._due, (event.time, self._assumed, event))

    # -- commands -----------------------------------------------------------------------------------------------------

    def _wait(self, command: SetTimer) -> None:
        """Matches the timer with a recorded one that the same event set, or assumes that it comes at its due time."""
        timer = Timer(command.instance, command.attempt, command.due)
        timers = [] if self._position is None else self._recorded.timers.get(self._position, [])
        same = [old for old in timers if (old.task, old.due) == (timer.task, timer.due) and old not in self._timers]
        if same:
            self._timers[timer if timer in same else same[0]] = timer
        else:
            self._assume(_timer_fired(timer, timer.due, -1))

    def _fires(self, fired: Timer) -> Timer | None:
        """Returns the timer that replaces a recorded one, which may lack its due time, or None."""
        if fired.due:
            return self._timers.get(fired)
        return next((new for old, new in self._timers.items() if old[:2] == fired[:2]), None)

    def _run(self, command: RunTask, time: int) -> None:
        run = run_of(command, time, self._position)
        same = self._free.take(run)
        if same is not None:
            self._names[self._recorded.runs[same].instance] = run.instance
        self.runs.append(NewRun(run=run, same=same, known=self._know(run, same)))

    def _know(self, run: Run, same: int | None) -> Known:
        if same is not None:
            return self._as_recorded(run, self._recorded.runs[same])
        if (stub := self._assumptions.stubs.get(run.task)) is not None:
            done = TaskFinished(instance=run.instance, attempt=run.attempt, result=stub)
            self._assume(replace(done, time=run.time, position=-1))
            return Known.STUB
        if self._assumptions.reuse and (other := self._other(run)) is not None:
            self._as_long_after(run, other)
            return Known.REUSED
        return Known.UNKNOWN

    def _as_recorded(self, run: Run, same: Run) -> Known:
        if run.position is not None and run.position == same.position:
            self._in_place[same.key] = run.key
            return Known.RECORDED
        self._as_long_after(run, same)
        return Known.MOVED

    def _as_long_after(self, run: Run, of: Run) -> None:
        for event in self._recorded.results.get(of.key, ()):
            due = run.time + max(0, event.time - of.time)
            mine = replace(event, instance=run.instance, attempt=run.attempt, time=due, position=-1, id=None)
            self._assume(mine)

    def _other(self, run: Run) -> Run | None:
        """Returns a recorded run of the same task and target that finished, preferably of this instance, or None."""
        candidates = [one for one in self._recorded.runs if (one.task, one.run) == (run.task, run.run)]
        finished = [one for one in candidates if _finished(self._recorded.results.get(one.key, ()))]
        return min(finished, key=lambda one: one.instance != run.instance, default=None)


def _timer_fired(timer: Timer, time: int, position: int) -> TimerFired:
    return TimerFired(instance=timer.instance, attempt=timer.attempt, due=timer.due, time=time, position=position)


def _finished(results: Sequence[TaskResult]) -> bool:
    return any(isinstance(event, TaskFinished) for event in results)


class _Free:
    """The recorded runs that no new run corresponds to yet."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self._runs = runs
        self._numbers: defaultdict[tuple[str, str, bytes], list[int]] = defaultdict(list)
        for number, run in enumerate(runs):
            self._numbers[run.task, run.run, run.kwargs].append(number)

    def take(self, run: Run) -> int | None:
        """Removes and returns the recorded run that this one corresponds to, or None.

        A run that the same event caused is preferred, then one of the same instance, then the earliest.
        """
        numbers = self._numbers.get((run.task, run.run, run.kwargs))
        if not numbers:
            return None
        number = min(numbers, key=lambda one: (not self._by_same_event(run, one), *self._distance(run, one)))
        numbers.remove(number)
        return number

    def _by_same_event(self, run: Run, number: int) -> bool:
        return run.position is not None and run.position == self._runs[number].position

    def _distance(self, run: Run, number: int) -> tuple[bool, int]:
        return run.instance != self._runs[number].instance, number
