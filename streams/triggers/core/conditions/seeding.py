"""Keeps what a session remembers for a task, and gives it to new instances."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec import Struct, field

from triggers.core.conditions.holding import Occurrence, Surroundings
from triggers.core.conditions.offering import Offered, offered_to
from triggers.core.conditions.tree import Conditions, Leaf
from triggers.core.contribution import Contribution


class Memory(Struct, gc=False):
    """The contributions that a session remembers for the leaves of one task."""

    slots: dict[str, list[Contribution]] = field(default_factory=dict)
    """Slot -> the latest contributions, or candidates."""


def remember(memory: Memory, leaves: Iterable[Leaf], offered: Offered) -> None:
    """Remembers the event for the leaves that accept it: what they would hold with `keep: latest` over all events."""
    for leaf in leaves:
        if leaf.slot in offered.keys:
            own, held = offered.contribution_for(leaf), memory.slots.get(leaf.slot, [])
            if leaf.distinct is not None and not leaf.correlated:
                held = [other for other in held if other.key != own.key]
            memory.slots[leaf.slot] = [*held, own][-leaf.remembered :]


def seeds(conditions: Conditions, memory: Memory, offered: Offered) -> list[Offered]:
    """Returns what a new instance is offered before the event itself, in the order of positions.

    The event has been remembered by then: what it displaced is gone.
    """
    every = conditions.and_every
    by_order: dict[int, tuple[Contribution, dict[str, bytes]]] = {}
    for leaf in conditions.leaves:
        if leaf is every and leaf.slot in offered.keys:
            continue
        for own in memory.slots.get(leaf.slot, ()):
            if own.order != offered.contribution.order:
                by_order.setdefault(own.order, (own, {}))[1][leaf.slot] = own.key
    return [Offered(own, keys) for _, (own, keys) in sorted(by_order.items())]


def begin_memory(
    memory: Memory, leaves: Iterable[Leaf], latest: Callable[[str], Occurrence | None], surroundings: Surroundings
) -> None:
    """Lets leaves that are new begin with the latest kwargs of their triggers, if they accept them."""
    for leaf in leaves:
        if occurrence := latest(leaf.trigger):
            remember(memory, (leaf,), offered_to((leaf,), occurrence, surroundings))
