"""Orders of edition 2 as steps that a program can take, in a `LocalSession` for instance."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Raw, Struct

from triggers.analysis.check.edition_2_worlds import Edition2Worlds
from triggers.analysis.check.worlds import FinishedMove, FiredMove, IdleMove, LaterMove, Move, StalledMove, TimerMove


class Step(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One step of an order. It first lets `wait` pass, and then fires a trigger or reports a result, if it says so."""

    wait: int = 0
    """Milliseconds. Timers that are due by then come at their own times."""
    fire: str | None = None
    kwargs: Raw | None = None
    """The kwargs of the trigger."""
    instance: str | None = None
    """The instance whose attempt comes to an end, or stalls."""
    status: str | None = None
    """`finished`, `failed` or `skipped`; `scheduled` if no worker takes the attempt, `running` if it does not end."""


def steps_of(worlds: Edition2Worlds, order: Iterable[Move]) -> Iterator[Step]:
    """Yields the steps of an order. Results that have no alternative, and come at once, are no steps."""
    world = worlds.first()
    for move in order:
        match move:
            case FiredMove():
                yield Step(fire=move.trigger, kwargs=Raw(move.kwargs))
            case LaterMove():
                yield Step(wait=move.wait, fire=move.fired.trigger, kwargs=Raw(move.fired.kwargs))
            case TimerMove():
                yield Step(wait=world.timers[0].due - world.now)
            case IdleMove():
                yield Step(wait=move.ttl)
            case FinishedMove() | StalledMove():
                yield Step(instance=worlds.instance_of(world, move), status=move.status)
        world = worlds.after(world, move)
