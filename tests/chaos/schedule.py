"""Makes the schedule of faults: before anything runs, the seed decides what strikes, when and whom."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random

_FIRST_AT_S = 2.0
_OVERLAPS = 0.3
"""Probability that a fault does not wait for the end of the previous one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """The properties of a kind of fault that planning needs."""

    name: str
    on: str
    """Kind of thing that it strikes. Two faults never strike the same thing at the same time."""
    shortest_s: float = 0.0
    longest_s: float = 0.0
    after_s: float = 6.0
    """Seconds after the fault in which nothing else strikes the thing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """A fault of the schedule."""

    at_s: float
    kind: str
    on: str
    target: int
    hold_s: float
    seed: int
    """Seed of the fault's other random choices."""
    until_s: float
    """Time until which nothing else strikes the same thing."""


def schedule(
    seed: int, duration_s: float, kinds: Sequence[Kind], things: Mapping[str, int], calm_s: float = 0.0
) -> list[Shot]:
    """Returns shots in order of time that end within the duration. Each kind comes once before any comes again.

    `things` has the number of things of each sort. A kind that strikes something of which there is none is left out.
    `calm_s` is the time without a fault after each one. If it is 0, faults follow soon and some overlap.
    """
    shots = _shots(Random(seed), duration_s, kinds, things, calm_s)  # noqa: S311  # repeatable
    return sorted(shots, key=lambda shot: shot.at_s)


def _shots(
    chance: Random, duration_s: float, kinds: Sequence[Kind], things: Mapping[str, int], calm_s: float
) -> Iterator[Shot]:
    possible = [kind for kind in kinds if things.get(kind.on)]
    now, planned = _FIRST_AT_S, list[Shot]()
    while now < duration_s:
        fitting = [kind for kind in _shuffled(chance, possible) if now + kind.shortest_s <= duration_s]
        if not fitting:
            return
        for kind in fitting:
            shot = _shot(chance, now, kind, things[kind.on], planned)
            if shot.at_s + shot.hold_s > duration_s:
                now = min(now + 1.0, duration_s)
                continue
            planned.append(shot)
            yield shot
            now = shot.at_s + (shot.hold_s + calm_s if calm_s else _until_next(chance, shot))


def _until_next(chance: Random, shot: Shot) -> float:
    if chance.random() < _OVERLAPS:
        return chance.uniform(0.5, 3.0)
    return shot.hold_s + chance.uniform(2.0, 6.0)


def _shuffled(chance: Random, kinds: Sequence[Kind]) -> list[Kind]:
    return chance.sample(kinds, len(kinds))


def _shot(chance: Random, now: float, kind: Kind, things: int, planned: Sequence[Shot]) -> Shot:
    target, hold = chance.randrange(things), round(chance.uniform(kind.shortest_s, kind.longest_s), 1)
    busy = [shot.until_s for shot in planned if _collide(shot, kind, target)]
    at = round(max([now, *busy]), 1)
    return Shot(
        at_s=at,
        kind=kind.name,
        on=kind.on,
        target=target,
        hold_s=hold,
        seed=chance.randrange(1 << 30),
        until_s=round(at + hold + kind.after_s, 1),
    )


def _collide(shot: Shot, kind: Kind, target: int) -> bool:
    """Returns whether both strike the same thing. Only one broker is struck at a time."""
    if shot.on == kind.on:
        return shot.target == target or kind.on == "broker"
    return {shot.on, kind.on} in ({"agent", "agents"}, {"celery", "celeries"}, {"broker", "cluster"})
