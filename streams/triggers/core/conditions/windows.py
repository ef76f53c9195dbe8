"""Drops contributions that are too old, or that a sequence no longer holds because it has gone back."""

from __future__ import annotations

from typing import Final

from triggers.core.conditions.condition_view import ConditionView
from triggers.core.conditions.tree import Combinator, Kind, Leaf, Node, combinators

_SEQUENCE: Final = Kind.SEQUENCE  # looked up only once, because each look-up of an enumeration's member takes 0.1 µs


def drop_older(view: ConditionView, node: Combinator, oldest: int) -> None:
    """Drops the contributions below the combinator whose clock is before `oldest`.

    Of an inner combinator that has become true within its own time, all contributions are dropped or none.
    """
    for child in node.children:
        if isinstance(child, Leaf):
            _keep_from(view, child, oldest)
        elif not view.is_marked(child):
            drop_older(view, child, oldest)
        elif _oldest_clock(view, child) < oldest:
            drop_all(view, child)
    view.forget()


def drop_all(view: ConditionView, node: Node) -> None:
    """Drops everything that is held below the node."""
    for leaf in node.leaves():
        view.slots.pop(leaf.slot, None)
    for inner in combinators(node):
        if view.is_marked(inner):
            view.held.true.remove(inner.mark)
    view.forget()


def go_back(view: ConditionView) -> None:
    """Drops the contributions of those children of a sequence that come after one that is not true."""
    if view.conditions.sequences:
        for inner in view.conditions.combinators:
            if inner.kind is _SEQUENCE and not view.is_marked(inner):
                _go_back(view, inner)


def _go_back(view: ConditionView, sequence: Combinator) -> None:
    for at, child in enumerate(sequence.children):
        if not view.is_true(child):
            for later in sequence.children[at + 1 :]:
                if any(view.held_by(leaf) for leaf in later.leaves()):
                    drop_all(view, later)
            return


def mark_true(view: ConditionView) -> None:
    """Marks the combinators with `within` that are true now. A marked one stays true."""
    if view.conditions.windows:
        for inner in view.conditions.combinators:
            if inner.within and not view.is_marked(inner) and view.is_true(inner):
                view.held.true.append(inner.mark)


def _keep_from(view: ConditionView, leaf: Leaf, oldest: int) -> None:
    held = view.held_by(leaf)
    if held and any(contribution.clock < oldest for contribution in held):
        view.slots[leaf.slot] = [contribution for contribution in held if contribution.clock >= oldest]


def _oldest_clock(view: ConditionView, node: Node) -> int:
    clocks = [contribution.clock for leaf in node.leaves() for contribution in view.contributions(leaf)]
    return min(clocks, default=0)
