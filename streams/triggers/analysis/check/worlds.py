"""Worlds: the states of a session while events are still to come, and the moves from one to the next."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from msgspec import Struct

from triggers.core.commands import Decision, RunTask
from triggers.core.engine import apply
from triggers.core.events import ConfigurationUpdated, Event, TaskFinished, TriggerFired
from triggers.core.state.plans import Plans
from triggers.core.state.rows import MemoryRows
from triggers.core.state.session import Session
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


class FinishedMove(Struct, frozen=True, order=True):
    """The move in which a task that ran with these kwargs finishes."""

    task: str
    kwargs: bytes

    def __str__(self) -> str:
        return f"{self.task} finishes"


Move = FiredMove | FinishedMove


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
    instances: tuple[InstanceView, ...]

    @property
    def quiet(self) -> bool:
        """True if every task that was started has finished."""
        return not self.pending


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
        instances = tuple(sorted((i.task, i.status, runs_with(i)) for i in shown.instances))
        return World(rows, left, tuple(sorted(pending)), (left, instances, latest), tuple(shown.instances))


def _started(decision: Decision) -> list[tuple[FinishedMove, str]]:
    runs = [command for command in decision.commands if isinstance(command, RunTask)]
    return [(FinishedMove(run.instance.rpartition("#")[0], run.kwargs), run.instance) for run in runs]


def runs_with(instance: InstanceView) -> tuple[tuple[str, bytes], ...]:
    """Returns the kwargs that an instance holds, sorted by trigger."""
    return tuple(sorted((trigger, bytes(kwargs)) for trigger, kwargs in instance.kwargs.items()))
