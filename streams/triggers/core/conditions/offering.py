"""Offers an event to the leaves of a waiting instance, and determines what they hold afterwards."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, final

from triggers.core.conditions.condition_view import ConditionView
from triggers.core.conditions.evaluator import Evaluator, Occurrence
from triggers.core.conditions.tree import MAX_HELD, Combinator, Kind, Leaf, Node
from triggers.core.conditions.windows import drop_older, go_back, mark_true
from triggers.core.contribution import Contribution
from triggers.core.expressions.failure import ExpressionFailed

_SEQUENCE: Final = Kind.SEQUENCE  # looked up only once, because each look-up of an enumeration's member takes 0.1 µs


@final
class Offered:
    """An event as it is offered to one task."""

    __slots__ = ("contribution", "keys")

    def __init__(self, contribution: Contribution, keys: dict[str, bytes]) -> None:
        self.contribution = contribution
        self.keys = keys
        """Slot -> key of `distinct`, for each leaf that accepts the event. A leaf whose `when` reads `on` is always
        among them, because it holds the event as a candidate."""

    def contribution_for(self, leaf: Leaf) -> Contribution:
        """Returns the contribution that the leaf would hold."""
        event, key = self.contribution, self.keys[leaf.slot]
        if event.key == key:
            return event
        return Contribution(event.kwargs, event.clock, event.order, key, event.time, event.id, event.source)


def match_leaves(leaves: Iterable[Leaf], occurrence: Occurrence, evaluator: Evaluator) -> Offered:
    """Returns the event with the leaves that accept it. Leaves whose `when` reads `on` count as accepting it."""
    keys: dict[str, bytes] = {}
    for leaf in leaves:
        if leaf.trigger == occurrence.trigger and (key := _key(leaf, occurrence, evaluator)) is not None:
            keys[leaf.slot] = key
    return Offered(occurrence.contribution, keys)


def _key(leaf: Leaf, occurrence: Occurrence, evaluator: Evaluator) -> bytes | None:
    """Returns the key of `distinct`, or None if the leaf does not accept the event."""
    if leaf.when is not None and not leaf.correlated and not evaluator.is_true(leaf.when, occurrence):
        return None
    try:
        return b"" if leaf.distinct is None else evaluator.key(leaf.distinct, occurrence)
    except ExpressionFailed:
        return None


@final
class Taken:
    """The effect of an offer."""

    __slots__ = ("in_after", "took")

    def __init__(self) -> None:
        self.took = False
        """True if a leaf took the event, also if it ignored the event because of an equal `distinct` value."""
        self.in_after = False
        """True if a leaf of `after` or `andEvery` holds the event now."""


def offer(view: ConditionView, offered: Offered) -> Taken:
    """Offers the event to every leaf that may take it. The state before the event decides which leaves may."""
    leaves = _open_leaves(view, offered) if view.conditions.steady else _Choice(view, offered).leaves()
    taken = Taken()
    for leaf in leaves:
        if not leaf.correlated:
            _contribute(view, leaf, offered, taken)
    if view.conditions.steady:
        return taken
    for leaf in leaves:
        if leaf.correlated:
            _add_candidate(view, leaf, offered)
    view.forget()
    go_back(view)
    mark_true(view)
    for leaf in leaves:
        if leaf.correlated:
            _check_candidate(view, leaf, offered, taken)
    return taken


def _open_leaves(view: ConditionView, offered: Offered) -> list[Leaf]:
    """Returns the open leaves of a task without windows, sequences and candidates."""
    by_slot = view.conditions.by_slot
    return [leaf for slot in offered.keys if not view.is_closed(leaf := by_slot[slot])]


class _Choice:
    """Chooses the leaves that get the event, and drops contributions that the event makes too old."""

    def __init__(self, view: ConditionView, offered: Offered) -> None:
        self._view = view
        self._offered = offered
        self._chosen: list[Leaf] = []

    def leaves(self) -> list[Leaf]:
        for tree in self._view.conditions.trees:
            self._offer(tree, goes_on=False)
        return self._chosen

    def _offer(self, node: Node, *, goes_on: bool) -> None:
        """Offers the event below a node. `goes_on` says that a combinator around it has become true within its time."""
        if isinstance(node, Leaf):
            if node.slot in self._offered.keys and self._may_have_it(node, goes_on=goes_on):
                self._chosen.append(node)
            return
        marked = self._view.is_marked(node)
        if node.within and not marked and self._is_accepted_below(node):
            drop_older(self._view, node, self._offered.contribution.clock - node.within)
            go_back(self._view)
        if node.kind is not _SEQUENCE:
            for child in node.children:
                self._offer(child, goes_on=goes_on or marked)
        elif (turn := self._turn(node)) is not None:
            self._offer(turn, goes_on=goes_on or marked)

    def _may_have_it(self, leaf: Leaf, *, goes_on: bool) -> bool:
        if goes_on and not leaf.goes_on:
            return False
        return leaf.correlated or not self._view.is_closed(leaf)

    def _turn(self, sequence: Combinator) -> Node | None:
        """Returns the child of a sequence that gets the event, or None if none can use it."""
        view, children = self._view, sequence.children
        first = max((at for at, child in enumerate(children) if view.holds_anything(child)), default=0)
        last = next((at for at, child in enumerate(children) if not view.is_true(child)), len(children) - 1)
        turns = [children[at] for at in range(last, first - 1, -1)]
        for child in turns:
            if self._is_accepted_below(child):
                return child
        for child in turns:
            if any(leaf.slot in self._offered.keys for leaf in child.leaves()):
                return child
        return None

    def _is_accepted_below(self, node: Node) -> bool:
        return any(leaf.slot in self._offered.keys and self._accepts(leaf) for leaf in node.leaves())

    def _accepts(self, leaf: Leaf) -> bool:
        return not leaf.correlated or self._view.matches(leaf, self._offered.contribution)


def _contribute(view: ConditionView, leaf: Leaf, offered: Offered, taken: Taken) -> None:
    taken.took = True
    contribution, held = offered.contribution_for(leaf), view.held_by(leaf)
    if leaf.distinct is not None and any(other.key == contribution.key for other in held):
        if not leaf.latest:
            return
        held = [other for other in held if other.key != contribution.key]
    taken.in_after |= leaf.slot[0] == "+"
    limit = leaf.count if isinstance(leaf.count, int) and leaf.latest else MAX_HELD
    view.slots[leaf.slot] = [*held, contribution][-limit:]


def _add_candidate(view: ConditionView, leaf: Leaf, offered: Offered) -> None:
    view.slots[leaf.slot] = [*view.held_by(leaf), offered.contribution_for(leaf)][-MAX_HELD:]


def _check_candidate(view: ConditionView, leaf: Leaf, offered: Offered, taken: Taken) -> None:
    """Counts a candidate as taken if its `when` is true after the event."""
    candidate, contributions = offered.contribution_for(leaf), view.contributions(leaf)
    if any(other.order == candidate.order for other in contributions):
        taken.took = True
        taken.in_after |= leaf.slot[0] == "+"
    elif leaf.distinct is not None and any(other.key == candidate.key for other in contributions):
        taken.took |= view.matches(leaf, candidate)
