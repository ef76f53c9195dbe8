"""Remembers contributions for a task, and lets new instances begin with them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from triggers.core.conditions.evaluator import Evaluator, Occurrence
from triggers.core.conditions.held import Memory
from triggers.core.conditions.offering import Offered, match_leaves
from triggers.core.conditions.tree import Conditions, Leaf
from triggers.core.contribution import Contribution


def remember(memory: Memory, leaves: Iterable[Leaf], offered: Offered) -> None:
    """Remembers the event for the leaves that accept it. A leaf remembers what it would hold with `keep: latest`."""
    for leaf in leaves:
        if leaf.slot in offered.keys:
            contribution, held = offered.contribution_for(leaf), memory.slots.get(leaf.slot, [])
            if leaf.distinct is not None and not leaf.correlated:
                held = [other for other in held if other.key != contribution.key]
            memory.slots[leaf.slot] = [*held, contribution][-leaf.remembered :]


def seeds(conditions: Conditions, memory: Memory, offered: Offered) -> list[Offered]:
    """Returns what a new instance is offered before the event itself, in the order of the fires.

    Call it after `remember`, because a contribution that the event has displaced must not be offered.
    """
    every = conditions.and_every
    by_order: dict[int, tuple[Contribution, dict[str, bytes]]] = {}
    for leaf in conditions.leaves:
        if leaf is every and leaf.slot in offered.keys:
            continue
        for contribution in memory.slots.get(leaf.slot, ()):
            if contribution.order != offered.contribution.order:
                by_order.setdefault(contribution.order, (contribution, {}))[1][leaf.slot] = contribution.key
    return [Offered(contribution, keys) for _, (contribution, keys) in sorted(by_order.items())]


def begin_memory(
    memory: Memory, leaves: Iterable[Leaf], latest: Callable[[str], Occurrence | None], evaluator: Evaluator
) -> None:
    """Lets new leaves begin with the latest kwargs of their triggers, if they accept them."""
    for leaf in leaves:
        if occurrence := latest(leaf.trigger):
            remember(memory, (leaf,), match_leaves((leaf,), occurrence, evaluator))
