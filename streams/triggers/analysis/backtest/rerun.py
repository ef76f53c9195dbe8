"""A recorded session folded under other rules."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from heapq import heappop, heappush

from msgspec import Struct
from msgspec.structs import replace

from triggers.analysis.backtest.assumptions import Assumptions, Known, NewRules
from triggers.analysis.backtest.recorded import Attempt, Fold, Recorded, Run, Timer, run_of
from triggers.core.commands import RunTask, SetTimer
from triggers.core.config import Plans
from triggers.core.events import (
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

_OPERATIONS = (ReplayRequested, SkipRequested, StatusSet, MetadataUpdated, CloneRequested)


class NewRun(Struct, frozen=True, kw_only=True):
    """A run under the new rules."""

    run: Run
    same: int | None
    """Number of the recorded run with the same task, target and kwargs."""
    known: Known


class Rerun:
    """What would have happened.

    What applications and operators did is taken from the log; results are what the assumptions say, recorded ones in
    their place where the same event causes the same run.
    """

    def __init__(self, uid: str, recorded: Recorded, assumptions: Assumptions, plans: Plans) -> None:
        self.runs: list[NewRun] = []
        self.refused = 0
        """What operators did then and could not have done now."""
        self._recorded = recorded
        self._assumptions = assumptions
        self._fold = Fold(uid, plans)
        self._number: int | None = None
        """The recorded event that is being applied; None: one that is assumed."""
        self._position: int | None = None
        self._in_place: dict[Attempt, Attempt] = {}
        """Recorded attempt -> the one that takes its results."""
        self._timers: dict[Timer, Timer] = {}
        """Recorded timer -> the one that fires where it fired."""
        self._names: dict[str, str] = {}
        """Recorded instance -> the one that is the same now."""
        self._due: list[tuple[int, int, Event]] = []
        """Assumed events by time, then as they came up."""
        self._assumed = 0
        self._last = 0
        """Time of the latest recorded event: nobody knows which timers fired after it."""
        self._free = _Free(recorded.runs)

    @property
    def plan(self) -> Plan:
        """The rules at the end."""
        return self._fold.session.plan

    def fold(self, events: Sequence[Event], rules: NewRules) -> None:
        """Apply the recorded events under the new rules, and what is assumed between them."""
        for number, event in rules.instead(list(events)):
            self._last = max(self._last, event.time)
            self._catch_up(event.time)
            self._number, self._position = number, event.position
            mine = self._mine(number, event)
            if mine is not None:
                self._apply(mine)
        self._catch_up(None)

    def unjudged(self) -> set[str]:
        """Tasks that depend, directly or not, on a result that nobody knows."""
        ahead = [new.run.task for new in self.runs if new.known is Known.UNKNOWN]
        found: set[str] = set()
        while ahead:
            users = {task.name for task in self.plan.by_trigger.get(ahead.pop(), ())} - found
            found |= users
            ahead += users
        return found

    def results(self) -> dict[str, int]:
        """How the results of the runs are known -> how many are."""
        return dict(Counter(str(new.known) for new in self.runs))

    # -- events -------------------------------------------------------------------------------------------------------

    def _mine(self, number: int, event: Event) -> Event | None:
        """The event as it happens under the new rules; None: it does not, or it comes at another time."""
        owner = self._recorded.owners[number]
        if isinstance(event, TaskResult):
            mine = self._in_place.get(owner) if isinstance(owner, Attempt) else None
            return None if mine is None else replace(event, instance=mine.instance, attempt=mine.number)
        if isinstance(event, TimerFired):
            timer = self._fires(owner) if isinstance(owner, Timer) else None
            return None if timer is None else _fired(timer, event.time, event.position)
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
        """Apply what is assumed to have come by that time; None: all of it."""
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
        """Let the timer fire where it did, if at all, if it was set by the same event; else when it is due."""
        timer = Timer(command.instance, command.attempt, command.due)
        found = [] if self._position is None else self._recorded.timers.get(self._position, [])
        same = [old for old in found if (old.task, old.due) == (timer.task, timer.due) and old not in self._timers]
        if same:
            self._timers[timer if timer in same else same[0]] = timer
        else:
            self._assume(_fired(timer, timer.due, -1))

    def _fires(self, fired: Timer) -> Timer | None:
        """The timer that fires in the place of a recorded one, which may not name its due time."""
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
        """A recorded run of the same task and target that finished: the same instance's, else the first."""
        found = [one for one in self._recorded.runs if (one.task, one.run) == (run.task, run.run)]
        finished = [one for one in found if _finished(self._recorded.results.get(one.key, ()))]
        return min(finished, key=lambda one: one.instance != run.instance, default=None)


def _fired(timer: Timer, time: int, position: int) -> TimerFired:
    return TimerFired(instance=timer.instance, attempt=timer.attempt, due=timer.due, time=time, position=position)


def _finished(results: Sequence[TaskResult]) -> bool:
    return any(isinstance(event, TaskFinished) for event in results)


class _Free:
    """Recorded runs that no new run is the same as, yet."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self._runs = runs
        self._numbers: defaultdict[tuple[str, str, bytes], list[int]] = defaultdict(list)
        for number, run in enumerate(runs):
            self._numbers[run.task, run.run, run.kwargs].append(number)

    def take(self, run: Run) -> int | None:
        """The recorded run that this one is: by the same event if there is one, of the same instance, the earliest."""
        found = self._numbers.get((run.task, run.run, run.kwargs))
        if not found:
            return None
        number = min(found, key=lambda one: (not self._by_same_event(run, one), *self._distance(run, one)))
        found.remove(number)
        return number

    def _by_same_event(self, run: Run, number: int) -> bool:
        return run.position is not None and run.position == self._runs[number].position

    def _distance(self, run: Run, number: int) -> tuple[bool, int]:
        return run.instance != self._runs[number].instance, number
