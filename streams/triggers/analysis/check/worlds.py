"""Worlds: the states of a session while events are still to come, and the moves from one to the next."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from msgspec import Struct, structs

from triggers.analysis.times import duration_words
from triggers.core.commands import RunTask, SetTimer
from triggers.core.decision import Decision
from triggers.core.engine import apply
from triggers.core.events import ConfigurationUpdated, Event, TaskFinished, TriggerFired
from triggers.core.state.plans import Plans
from triggers.core.state.rows import MemoryRows
from triggers.core.state.session import Session
from triggers.core.statuses import Status
from triggers.core.view import InstanceView, view_session
from triggers.errors import CallError

_UID: Final = "session"
_MAX_CASCADES: Final = 1_000
"""The number of successive runs that one event may cause; a longer cascade counts as endless."""


class EndlessCascade(CallError):
    """Tasks make each other run again without end."""


class Results(StrEnum):
    """The time at which a task's result comes."""

    AT_ONCE = "at-once"
    """Before the next event of the application."""
    ANY_TIME = "any-time"
    """Before, between and after the events that follow."""


class FiredMove(Struct, frozen=True, order=True):
    """The move in which the application fires a trigger."""

    trigger: str
    kwargs: bytes = b"{}"

    def __str__(self) -> str:
        return self.trigger if self.kwargs == b"{}" else f"{self.trigger} {self.kwargs.decode()}"


class LaterMove(Struct, frozen=True, order=True):
    """Edition 2: the move in which the application fires a trigger after some time in which nothing was due."""

    fired: FiredMove
    wait: int
    """Milliseconds."""

    def __str__(self) -> str:
        is_just_after = self.wait % 10 == 1 and self.wait > 1
        words = f"more than {duration_words(self.wait - 1)}" if is_just_after else duration_words(self.wait)
        return f"{self.fired} ({words} later)"


class FinishedMove(Struct, frozen=True, order=True):
    """The move in which a task that ran with these kwargs comes to an end."""

    task: str
    kwargs: bytes
    status: str = "finished"
    """In edition 2 also `failed` or `skipped`."""

    def __str__(self) -> str:
        return f"{self.task} {_ENDS[self.status]}"


class TimerMove(Struct, frozen=True, order=True):
    """Edition 2: the move in which time passes until the next timer is due."""

    kind: str
    task: str

    def __str__(self) -> str:
        return f"{self.kind} of {self.task} is due"


class StalledMove(Struct, frozen=True, order=True):
    """Edition 2: the move in which an attempt makes no progress until it is overdue."""

    task: str
    kwargs: bytes
    status: str
    """`scheduled` if no worker takes it, `running` if it begins and does not end."""

    def __str__(self) -> str:
        return f"{self.task} {_STALLS[self.status]}"


class IdleMove(Struct, frozen=True, order=True):
    """Edition 2: the move in which no event comes for so long that the session is deleted."""

    ttl: int
    """Milliseconds."""

    def __str__(self) -> str:
        return f"the session is deleted after {duration_words(self.ttl)} without events"


_STALLS: Final = {"scheduled": "is not begun", "running": "begins and does not end"}
_ENDS: Final = {"finished": "finishes", "failed": "fails", "skipped": "skips itself"}

Move = FiredMove | LaterMove | FinishedMove | TimerMove | StalledMove | IdleMove


class SeenInstance(Struct, frozen=True, order=True):
    """An instance, as far as an outcome says something about it."""

    task: str
    status: str
    has_run: bool
    kwargs: tuple[tuple[str, bytes], ...]
    """The kwargs that it holds or has received, sorted by name."""


class World(Struct, frozen=True):
    """A session and what is still to come."""

    rows: MemoryRows
    left: tuple[int, ...]
    """The number of events of each kind that are still to come."""
    pending: tuple[tuple[FinishedMove, str], ...]
    """The results that are still to come, with their instances, sorted."""
    key: tuple[object, ...]
    """Equal for worlds with equal futures. It leaves out numbers and times of instances, which make no difference, and
    abandon states and pending results, which follow from the rest."""
    instances: tuple[SeenInstance, ...]
    timers: tuple[SetTimer, ...] = ()
    """Edition 2: the timers that stand, by due time."""
    failures: tuple[str, ...] = ()
    """Edition 2: the results so far that were no success, and attempts that stalled, sorted. Only worlds with equal
    ones are compared."""
    clocks: frozenset[int] = frozenset()
    """Edition 2: when the events came that a `within` may still drop."""
    moves: int = 0
    """Edition 2: the number of moves that led here."""
    now: int = 0
    """Edition 2: the session's clock, in milliseconds."""
    deleted: bool = False
    """Edition 2: True if the session was deleted because it was idle. Events that are left begin another session."""

    @property
    def quiet(self) -> bool:
        """True if every task that was started has come to an end and no timer stands."""
        return not self.pending and not self.timers

    @property
    def ended(self) -> bool:
        """True if nothing more can come."""
        return self.quiet and (self.deleted or not any(self.left))


def delete_session(world: World) -> World:
    """Returns the world after the session is deleted. Nothing more comes of it."""
    return structs.replace(
        world, deleted=True, pending=(), timers=(), key=("deleted", world.key), moves=world.moves + 1
    )


class Worlds:
    """The worlds of some rules and some events."""

    def __init__(self, rules: bytes, events: Sequence[tuple[FiredMove, int]], results: Results) -> None:
        """`events` has each kind and how often it comes. Raises InvalidConfiguration."""
        self._rules = rules
        self._plans = Plans()
        self._kinds = [kind for kind, _ in events]
        self._counts = tuple(count for _, count in events)
        self._results = results

    def first(self) -> World:
        """Returns the world in which no event has come yet."""
        rows = MemoryRows()
        session = Session(_UID, rows, self._plans)
        apply(session, ConfigurationUpdated(configuration=self._rules))
        rows.write(session.changes())
        return self._world(rows, self._counts, ())

    def moves(self, world: World) -> list[tuple[Move, int]]:
        """Returns the possible next moves, each with its number of events. Results of equal runs are one move."""
        events: list[tuple[Move, int]] = [
            (kind, count) for kind, count in zip(self._kinds, world.left, strict=True) if count
        ]
        results = [finished for finished, _ in world.pending]
        return events + [(finished, results.count(finished)) for finished in dict.fromkeys(results)]

    def after(self, world: World, move: Move) -> World:
        """Returns the world after one of its moves. Raises EndlessCascade."""
        rows = MemoryRows(world.rows)
        if isinstance(move, FinishedMove):
            instance = next(name for finished, name in world.pending if finished == move)
            rest = [one for one in world.pending if one[1] != instance]
            return self._world(rows, world.left, [*rest, *self._finish(rows, instance)])
        if not isinstance(move, FiredMove):
            raise TypeError(f"{move} is no move of edition 1")
        at = self._kinds.index(move)
        left = (*world.left[:at], world.left[at] - 1, *world.left[at + 1 :])
        started = self._apply(rows, TriggerFired(trigger=move.trigger, kwargs=move.kwargs))
        if self._results is Results.AT_ONCE:
            self._finish_all(rows, started)
            started = []
        return self._world(rows, left, [*world.pending, *started])

    def _finish_all(self, rows: MemoryRows, started: list[tuple[FinishedMove, str]]) -> None:
        for number, (_, instance) in enumerate(started):
            if number == _MAX_CASCADES:
                raise EndlessCascade(f"{instance.partition('#')[0]} and the tasks it starts run again without end")
            started += self._finish(rows, instance)

    def _finish(self, rows: MemoryRows, instance: str) -> list[tuple[FinishedMove, str]]:
        return self._apply(rows, TaskFinished(instance=instance))

    def _apply(self, rows: MemoryRows, event: Event) -> list[tuple[FinishedMove, str]]:
        session = Session(_UID, rows, self._plans)
        decision = apply(session, event)
        rows.write(session.changes())
        return _started(decision)

    def _world(self, rows: MemoryRows, left: tuple[int, ...], pending: Sequence[tuple[FinishedMove, str]]) -> World:
        shown = view_session(Session(_UID, rows, self._plans))
        latest = tuple(sorted((trigger, bytes(kwargs)) for trigger, kwargs in shown.latest_kwargs.items()))
        instances = tuple(sorted(_seen(instance) for instance in shown.instances))
        return World(rows, left, tuple(sorted(pending)), (left, instances, latest), instances)


def _started(decision: Decision) -> list[tuple[FinishedMove, str]]:
    runs = [command for command in decision.commands if isinstance(command, RunTask)]
    return [(FinishedMove(run.instance.rpartition("#")[0], run.kwargs), run.instance) for run in runs]


def _seen(instance: InstanceView) -> SeenInstance:
    kwargs = tuple(sorted((trigger, bytes(kwargs)) for trigger, kwargs in instance.kwargs.items()))
    return SeenInstance(instance.task, instance.status, instance.status == Status.FINISHED, kwargs)
