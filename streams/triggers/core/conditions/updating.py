"""Carries what is held and remembered over an update of the rules."""

from __future__ import annotations

from collections.abc import Iterable

from triggers.core.conditions.holding import Held
from triggers.core.conditions.receiving import begun_by
from triggers.core.conditions.seeding import Memory
from triggers.core.conditions.tree import Conditions, Leaf, combinators
from triggers.core.contribution import Contribution


def same_slots(old: Conditions, new: Conditions) -> dict[str, str]:
    """Returns the new slot by the old one, for leaves that are the same. Those of `unless` are matched in order."""
    kept = {
        leaf.slot: leaf.slot
        for alias, leaf in old.by_alias.items()
        if alias in new.by_alias and new.by_alias[alias].identity == leaf.identity
    }
    left: dict[tuple[str, ...], list[str]] = {}
    for leaf in _unless(new):
        left.setdefault(leaf.identity, []).append(leaf.slot)
    for leaf in _unless(old):
        if slots := left.get(leaf.identity):
            kept[leaf.slot] = slots.pop(0)
    return kept


def carry_over(held: Held, old: Conditions, new: Conditions) -> None:
    """Keeps what waiting instances hold for leaves that are the same. What plain leaves held stays bound."""
    if old.steady:
        held.begun |= begun_by(held, old)
    kept = same_slots(old, new)
    loose = dict(held.loose)
    for leaf in old.leaves:
        if leaf.plain and leaf.slot not in kept and (taken_away := held.of(leaf.slot)):
            loose[_loose_slot(leaf)] = taken_away[-1 if leaf.latest else 0]
    slots = {kept[slot]: own for slot, own in held.slots.items() if slot in kept}
    for leaf in new.leaves:
        own = loose.pop(_loose_slot(leaf), None)
        if own is not None and leaf.plain and leaf.slot not in kept.values():
            slots[leaf.slot] = [own]
    marks = {inner.mark for tree in new.trees for inner in combinators(tree) if inner.within}
    held.slots, held.loose, held.true = slots, loose, [mark for mark in held.true if mark in marks]


def carry_memory_over(memory: Memory, old: Conditions, new: Conditions) -> list[Leaf]:
    """Keeps what is remembered for leaves that are the same, cut to the new count. Returns the leaves that are new."""
    kept = same_slots(old, new)
    by_slot = {leaf.slot: leaf for leaf in new.leaves}
    memory.slots = {kept[slot]: _cut(by_slot[kept[slot]], own) for slot, own in memory.slots.items() if slot in kept}
    return [leaf for leaf in new.leaves if leaf.slot not in kept.values()]


def _cut(leaf: Leaf, own: list[Contribution]) -> list[Contribution]:
    return own[-leaf.remembered :]


def _unless(conditions: Conditions) -> Iterable[Leaf]:
    return () if conditions.unless is None else conditions.unless.leaves()


def _loose_slot(leaf: Leaf) -> str:
    return leaf.slot if leaf.slot[0] == "+" else f"-{leaf.trigger}"
