"""The fires behind what an instance of edition 1 holds while it waits, in case its session gets rules of edition 2.

Windows and sequences ask for the clock and the order of a fire. An instance stores both for each of its triggers, one
after another, in the order of `kwargs` and then of `unless_seen`. A cohort stores, by slot, the fires that its members
received while they were in it. A *slot* is "+" and the trigger if it was fired for `after` or `andEvery`, and "-" and
the trigger if for `unless`. The order of a fire for `andEvery` is stored as a negative number, because deadlines count
from that fire. A clock and an order of 0 mean that the fire is unknown.
"""

from __future__ import annotations

from collections.abc import Iterable

from triggers.core.state.header_parts import Cohort
from triggers.core.state.instance import Instance

HeldFire = tuple[int, int]
"""Clock and order."""

_UNKNOWN: HeldFire = (0, 0)


def add_fire(cohort: Cohort, slot: str, clock: int, order: int) -> None:
    """Adds a fire that the members of a cohort have just received."""
    if cohort.fired is None:
        cohort.fired = {}
    cohort.fired[slot] = [clock, order]


def held_fires(instance: Instance, cohort: Cohort) -> dict[str, HeldFire]:
    """Returns the fires that a member of a cohort holds, by slot."""
    received = {slot: (clock, order) for slot, (clock, order) in (cohort.fired or {}).items()}
    return received | dict(zip(_slots(instance), _pairs(instance.fired or []), strict=False))


def store_fires(instance: Instance, fires: dict[str, HeldFire]) -> None:
    """Stores the fires of everything that an instance holds now."""
    instance.fired = [number for slot in _slots(instance) for number in fires.get(slot, _UNKNOWN)]


def _slots(instance: Instance) -> list[str]:
    return [*("+" + trigger for trigger in instance.kwargs), *("-" + trigger for trigger in instance.unless_seen)]


def _pairs(numbers: list[int]) -> Iterable[HeldFire]:
    return zip(numbers[::2], numbers[1::2], strict=True)
