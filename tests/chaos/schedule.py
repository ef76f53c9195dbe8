"""Which fault strikes when and whom: decided by the seed before anything runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random

_FIRST_AT_S = 2.0
_OVERLAPS = 0.3
"""How often the next fault does not wait for the end of the one before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of fault, as far as planning goes."""

    name: str
    on: str
    """What it strikes; two faults never strike the same thing at the same time."""
    shortest_s: float = 0.0
    longest_s: float = 0.0
    after_s: float = 6.0
    """How long the thing is left alone afterwards."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """One fault of the schedule."""

    at_s: float
    kind: str
    on: str
    target: int
    hold_s: float
    seed: int
    """For what else the fault leaves to chance."""
    until_s: float
    """Nothing else strikes the same thing before."""


def schedule(
    seed: int, duration_s: float, kinds: Sequence[Kind], things: Mapping[str, int], calm_s: float = 0.0
) -> list[Shot]:
    """Shots in order of time, all over by the end of the duration; every kind once before any kind comes again.

    `things`: how many of each there are; a kind that strikes something of which there is none is left out.
    `calm_s`: how long nothing else happens after each fault; 0: some follow soon, some do not wait for the end.
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
    taken = [shot.until_s for shot in planned if _collide(shot, kind, target)]
    at = round(max([now, *taken]), 1)
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
    """A fault of all agents collides with one of any agent; of three brokers one is struck at a time."""
    if shot.on == kind.on:
        return shot.target == target or kind.on == "broker"
    return {shot.on, kind.on} in ({"agent", "agents"}, {"celery", "celeries"}, {"broker", "cluster"})
