"""The timers of a session under other rules, and the moments at which they fire.

A worker fires a timer by a record, which may be late. What was decided then counts. So a timer that the recorded rules
set as well, by the same event, fires where its record is; if it was unset in the recorded session, it had not fired
before that. Any other timer fires when it is due, before the next record. Timers that are due at the same time fire in
the order of their kinds, then of their instances. Nothing is known about timers that are due after the last event.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from triggers.core.events import TimerFired
from triggers.core.state.rows import TIMERS, Changes, parse_timer_key
from triggers.core.timer_kinds import TIMER_ORDER, TimerKind


class Timer(NamedTuple):
    """A timer of an instance or, without an instance, of the session itself."""

    instance: str
    attempt: int
    """The attempt at which it was set; 0 in edition 2, in which the kind says what it is for."""
    due: int
    kind: str = ""

    @property
    def task(self) -> str:
        """The instance's task; empty if the timer is the session's own."""
        return self.instance.rpartition("#")[0]

    @property
    def rank(self) -> tuple[int, int, str]:
        """Its order among the timers and results of the same moment."""
        return (0, TIMER_ORDER.index(TimerKind(self.kind)), self.instance) if self.kind else (1, 0, "")

    def fired(self, time: int, position: int) -> TimerFired:
        """Returns the event by which it fires."""
        return TimerFired(
            instance=self.instance, attempt=self.attempt, due=self.due, kind=self.kind, time=time, position=position
        )


def timer_of(event: TimerFired) -> Timer:
    """Returns the timer that an event fires."""
    return Timer(event.instance, 0 if event.kind else event.attempt, event.due, event.kind)


class ActiveTimers:
    """The timers that are set in a session, as the timers' rows say."""

    def __init__(self) -> None:
        self.timers: dict[Timer, None] = {}
        """In the order in which they were set."""

    def record_changes(self, changes: Changes) -> tuple[list[Timer], list[Timer]]:
        """Returns the timers that changes of rows have set and deleted; one that is set again at once is in neither."""
        came, gone = list[Timer](), list[Timer]()
        for key, row in changes.items():
            if key.startswith(TIMERS):
                due, _, instance, attempt, kind = parse_timer_key(key)
                timer = Timer(instance, 0 if kind else attempt, due, kind)
                if row is None and timer in self.timers:
                    gone.append(timer)
                elif row is not None and timer not in self.timers:
                    came.append(timer)
        for timer in gone:
            del self.timers[timer]
        self.timers |= dict.fromkeys(came)
        return came, gone


class RecordedTimers:
    """The timers of the recorded session: which event set them, and what became of them."""

    def __init__(self) -> None:
        self.active = ActiveTimers()
        """Those at the end of the log."""
        self.set_by: defaultdict[int, list[Timer]] = defaultdict(list)
        """Timers by the position of the event that set them."""
        self.fired_at: dict[Timer, int] = {}
        """The number of the record that fired a timer, even if the timer was deleted by then."""
        self.gone_at: dict[Timer, int] = {}
        """The number of the event that deleted a timer before a record of it came."""
        self._known: set[Timer] = set()

    def record_fired(self, number: int, timer: Timer, time: int) -> None:
        """Records that the log fired a timer, before the event is applied. One that came too early did nothing."""
        if timer in self._known and time >= timer.due:
            self.fired_at.setdefault(timer, number)

    def record_changes(self, number: int, position: int, changes: Changes) -> None:
        """Records which timers an event set and deleted."""
        came, gone = self.active.record_changes(changes)
        self.set_by[position] += came
        self._known.update(came)
        for timer in gone:
            self.gone_at.setdefault(timer, number)

    def find(self, fired: Timer, known: Mapping[Timer, Timer]) -> Timer | None:
        """Returns the new timer that matches a recorded one, whose event may lack its due time."""
        if fired.due:
            return known.get(fired)
        return next((new for old, new in known.items() if old[:2] == fired[:2]), None)


class NewTimers:
    """The timers of the session under the new rules."""

    def __init__(self, recorded: RecordedTimers) -> None:
        self.by_recorded: dict[Timer, Timer] = {}
        """The new timers by the recorded ones that they match."""
        self._recorded = recorded
        self._held: defaultdict[int, list[Timer]] = defaultdict(list)

    def match(self, timer: Timer, position: int | None) -> bool:
        """Finds the recorded timer that the same event set. Returns False if there is none, so that it fires when due.

        `position` is that of the recorded event that set it, or None for an assumed event.
        """
        candidates = [] if position is None else self._recorded.set_by.get(position, [])
        same = [old for old in candidates if _alike(old, timer) and old not in self.by_recorded]
        if not same:
            return False
        old = timer if timer in same else same[0]
        self.by_recorded[old] = timer
        if old not in self._recorded.fired_at and (number := self._recorded.gone_at.get(old)) is not None:
            self._held[number].append(timer)
        return True

    def take_held(self, number: int) -> list[Timer]:
        """Returns the timers that the event of that number unset in the recorded session; now they may fire."""
        return self._held.pop(number, [])

    def open(self, active: Iterable[Timer]) -> list[Timer]:
        """Returns the active timers for which no timer stands at the end of the recorded session."""
        same = {self.by_recorded.get(old) for old in self._recorded.active.timers}
        return [timer for timer in active if timer.instance and timer not in same]


def _alike(one: Timer, other: Timer) -> bool:
    return (one.task, one.kind, one.due) == (other.task, other.kind, other.due)
