"""Drops contributions that are too old, or that a sequence no longer holds because it has gone back."""

from __future__ import annotations

from triggers.core.conditions.tree import Combinator, Kind, Leaf, Node, combinators
from triggers.core.conditions.views import View


def drop_older(view: View, node: Combinator, oldest: int) -> None:
    """Drops the contributions below the combinator whose clock is before `oldest`.

    An inner combinator that has become true within its own time goes as a whole, or not at all.
    """
    for child in node.children:
        if isinstance(child, Leaf):
            _keep_from(view, child, oldest)
        elif not view.is_marked(child):
            drop_older(view, child, oldest)
        elif _oldest_clock(view, child) < oldest:
            drop_all(view, child)
    view.forget()


def drop_all(view: View, node: Node) -> None:
    """Drops everything that is held below the node."""
    for leaf in node.leaves():
        view.held.slots.pop(leaf.slot, None)
    for inner in combinators(node):
        if view.is_marked(inner):
            view.held.true.remove(inner.mark)
    view.forget()


def go_back(view: View) -> None:
    """Drops the contributions of those children of a sequence that come after one that is not true."""
    if view.conditions.sequences:
        for inner in view.conditions.combinators:
            if inner.kind is Kind.SEQUENCE and not view.is_marked(inner):
                _go_back(view, inner)


def _go_back(view: View, sequence: Combinator) -> None:
    for at, child in enumerate(sequence.children):
        if not view.is_true(child):
            for later in sequence.children[at + 1 :]:
                if any(view.held.of(leaf.slot) for leaf in later.leaves()):
                    drop_all(view, later)
            return


def note_true(view: View) -> None:
    """Marks the combinators with `within` that have become true, because they stay true."""
    if view.conditions.windows:
        for inner in view.conditions.combinators:
            if inner.within and not view.is_marked(inner) and view.is_true(inner):
                view.held.true.append(inner.mark)


def _keep_from(view: View, leaf: Leaf, oldest: int) -> None:
    found = view.held.of(leaf.slot)
    if found and any(own.clock < oldest for own in found):
        view.held.slots[leaf.slot] = [own for own in found if own.clock >= oldest]


def _oldest_clock(view: View, node: Node) -> int:
    clocks = [own.clock for leaf in node.leaves() for own in view.contributions(leaf)]
    return min(clocks, default=0)
