"""Keeps what is held and remembered for leaves that an update of the rules does not change."""

from __future__ import annotations

from collections.abc import Iterable

from triggers.core.conditions.held import Held, Memory
from triggers.core.conditions.receiving import begun_by
from triggers.core.conditions.tree import Conditions, Leaf, combinators


def match_slots(old: Conditions, new: Conditions) -> dict[str, str]:
    """Returns old slot -> new slot for the leaves that are in both. Leaves of `unless` are matched in order."""
    kept = {
        leaf.slot: leaf.slot
        for alias, leaf in old.by_alias.items()
        if alias in new.by_alias and new.by_alias[alias].identity == leaf.identity
    }
    remaining: dict[tuple[str, ...], list[str]] = {}
    for leaf in _unless(new):
        remaining.setdefault(leaf.identity, []).append(leaf.slot)
    for leaf in _unless(old):
        if slots := remaining.get(leaf.identity):
            kept[leaf.slot] = slots.pop(0)
    return kept


def carry_over(held: Held, old: Conditions, new: Conditions) -> None:
    """Keeps what waiting instances hold for leaves that are in both.

    What a removed plain leaf held becomes loose, so that expressions and the task still see it under its alias.
    """
    if old.steady:
        held.begun |= begun_by(held, old)
    kept = match_slots(old, new)
    loose = dict(held.loose)
    for leaf in old.leaves:
        if leaf.plain and leaf.slot not in kept and (taken_away := held.of(leaf.slot)):
            loose[_loose_slot(leaf)] = taken_away[-1 if leaf.latest else 0]
    slots = {kept[slot]: contributions for slot, contributions in held.slots.items() if slot in kept}
    for leaf in new.leaves:
        contribution = loose.pop(_loose_slot(leaf), None)
        if contribution is not None and leaf.plain and leaf.slot not in kept.values():
            slots[leaf.slot] = [contribution]
    marks = {inner.mark for tree in new.trees for inner in combinators(tree) if inner.within}
    held.slots, held.loose, held.true = slots, loose, [mark for mark in held.true if mark in marks]


def carry_memory_over(memory: Memory, old: Conditions, new: Conditions) -> list[Leaf]:
    """Keeps what is remembered for leaves that are in both, truncated to the new count. Returns the new leaves."""
    kept = match_slots(old, new)
    by_slot = {leaf.slot: leaf for leaf in new.leaves}
    memory.slots = {
        kept[slot]: contributions[-by_slot[kept[slot]].remembered :]
        for slot, contributions in memory.slots.items()
        if slot in kept
    }
    return [leaf for leaf in new.leaves if leaf.slot not in kept.values()]


def _unless(conditions: Conditions) -> Iterable[Leaf]:
    return () if conditions.unless is None else conditions.unless.leaves()


def _loose_slot(leaf: Leaf) -> str:
    return leaf.slot if leaf.slot[0] == "+" else f"-{leaf.trigger}"
