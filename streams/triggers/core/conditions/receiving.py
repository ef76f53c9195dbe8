"""Determines what a task receives from the contributions of its instance, and when its deadline begins."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from triggers.core.conditions.condition_view import ConditionView
from triggers.core.conditions.held import Held
from triggers.core.conditions.tree import Conditions

_IN_AFTER: Final = 1
_IN_AND_EVERY: Final = 2


def received(view: ConditionView) -> dict[str, bytes]:
    """Returns the kwargs by alias. They are a JSON list if `count` is not the number 1.

    A leaf without contributions is left out, unless its `count` gives 0.
    """
    kwargs = {slot[1:]: contribution.kwargs for slot, contribution in view.held.loose.items() if slot[0] == "+"}
    for alias, leaf in view.conditions.by_alias.items():
        passed = view.passed(leaf)
        if leaf.passes_list and (passed or view.count(leaf) == 0):
            kwargs[alias] = b"[" + b",".join([contribution.kwargs for contribution in passed]) + b"]"
        elif passed:
            kwargs[alias] = passed[-1 if leaf.latest else 0].kwargs
    return kwargs


def seen(view: ConditionView) -> list[str]:
    """Returns the triggers of `unless` that an instance counts, sorted: its abandon state."""
    unless, loose = view.conditions.unless, view.held.loose
    if unless is None and not loose:
        return []
    counted = {slot[1:] for slot in loose if slot[0] == "-"}
    if unless is not None:
        counted |= {leaf.trigger for leaf in unless.leaves() if view.contributions(leaf)}
    return sorted(counted)


def begun_by(held: Held, conditions: Conditions) -> int:
    """Returns the bits of the parts that have held a contribution, for an instance that has dropped none."""
    every = conditions.and_every
    in_after = any(held.of(leaf.slot) for leaf in conditions.after_leaves)
    in_every = every is not None and bool(held.of(every.slot))
    return (_IN_AFTER if in_after else 0) | (_IN_AND_EVERY if in_every else 0)


def begun_by_loose(held: Held, in_every_slots: Collection[str]) -> int:
    """Returns the bits of the parts that have held what is loose. Those slots were of `andEvery`."""
    slots = [slot for slot in held.loose if slot[0] == "+"]
    in_every = any(slot in in_every_slots for slot in slots)
    in_after = any(slot not in in_every_slots for slot in slots)
    return (_IN_AFTER if in_after else 0) | (_IN_AND_EVERY if in_every else 0)


def mark_begun(view: ConditionView, order: int | None = None) -> bool:
    """Marks `after` and `andEvery` as begun if they hold a contribution now. Returns whether the deadline begins.

    The deadline begins with the first contribution of `andEvery`, or of `after` if the task has no `andEvery`. With
    `order`, it begins only if that contribution is the event of this order. A new instance passes None, because
    whatever it holds begins its deadline.
    """
    every, begun = view.conditions.and_every, view.held.begun
    if begun & _IN_AFTER and (every is None or begun & _IN_AND_EVERY):
        return False
    scopes = [(_IN_AFTER, [*view.conditions.after_leaves])]
    if every is not None:
        scopes.append((_IN_AND_EVERY, [every]))
    begins = False
    for scope, leaves in scopes:
        orders = [contribution.order for leaf in leaves for contribution in view.contributions(leaf)]
        if orders and not view.held.begun & scope:
            view.held.begun |= scope
            counts = scope == _IN_AND_EVERY or every is None
            begins |= counts and (order is None or order in orders)
    return begins
