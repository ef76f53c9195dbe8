"""`ConditionView`: what the conditions of a rule say about one waiting instance."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from triggers.core.conditions.evaluator import Evaluator, Occurrence
from triggers.core.conditions.held import Held
from triggers.core.conditions.tree import MAX_HELD, Combinator, Conditions, Kind, Leaf, Node
from triggers.core.contribution import Contribution
from triggers.core.expressions.failure import ExpressionFailed
from triggers.core.expressions.names import Members
from triggers.core.expressions.program import Expression

_ALL: Final = Kind.ALL  # looked up only once, because each look-up of an enumeration's member takes 0.1 µs
_SEQUENCE: Final = Kind.SEQUENCE
_ANY: Final = Kind.ANY


class ConditionView:
    """The conditions of one waiting instance: which are true, and which contributions count.

    Results are cached. Whoever changes `held` must call `forget` then.
    """

    __slots__ = ("_contributions", "_counts", "_open", "conditions", "evaluator", "held", "slots")

    def __init__(self, conditions: Conditions, held: Held, evaluator: Evaluator) -> None:
        self.conditions = conditions
        self.held = held
        self.slots = held.slots
        self.evaluator = evaluator
        self._contributions: dict[str, list[Contribution]] = {}
        self._counts: dict[str, int | None] = {}
        self._open: set[str] = set()
        """Slots whose `when` is being evaluated. For an expression that reads one of them meanwhile, it is empty."""

    def forget(self) -> None:
        """Discards the cached results, because the instance holds something else now."""
        self._contributions.clear()
        self._counts.clear()

    # -- leaves -------------------------------------------------------------------------------------------------------

    def held_by(self, leaf: Leaf) -> list[Contribution]:
        """Returns what the leaf holds, candidates included. The caller must not change it."""
        held = self.slots.get(leaf.slot)
        return [] if held is None else held

    def contributions(self, leaf: Leaf) -> list[Contribution]:
        """Returns the contributions of the leaf. Candidates count only if `when` is true of them now."""
        if not leaf.correlated:
            return self.held_by(leaf)
        cached = self._contributions.get(leaf.slot)
        if cached is None:
            if leaf.slot in self._open:
                return []
            self._open.add(leaf.slot)
            cached = _kept(leaf, self._matching(leaf))
            self._open.discard(leaf.slot)
            self._contributions[leaf.slot] = cached
        return cached

    def matches(self, leaf: Leaf, candidate: Contribution) -> bool:
        """Returns whether the leaf's `when` is true of the candidate now."""
        if leaf.when is None:
            return True
        occurrence = Occurrence(leaf.trigger, candidate)
        return self.evaluator.is_true(leaf.when, occurrence, self.bound)

    def _matching(self, leaf: Leaf) -> list[Contribution]:
        candidates = self.held_by(leaf)
        if not candidates:
            return []
        floor = self.newest(self.conditions.before.get(leaf.slot, ()))
        return [each for each in candidates if each.order > floor and self.matches(leaf, each)]

    def newest(self, nodes: Iterable[Node]) -> int:
        """Returns the order of the newest contribution below the nodes, or -1 if there is none."""
        leaves = (leaf for node in nodes for leaf in node.leaves())
        return max((each.order for leaf in leaves for each in self.contributions(leaf)), default=-1)

    def count(self, leaf: Leaf) -> int | None:
        """Returns the number of contributions that make the leaf true, or None if it is not known yet."""
        if not isinstance(leaf.count, Expression):
            return 1 if leaf.count is None else leaf.count
        if leaf.slot not in self._counts:
            self._counts[leaf.slot] = self._evaluated_count(leaf.count)
        return self._counts[leaf.slot]

    def _evaluated_count(self, expression: Expression) -> int | None:
        try:
            value = self.evaluator.evaluate(expression, None, self.bound)
        except ExpressionFailed:
            return None
        is_count = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_HELD
        return value if is_count and isinstance(value, int) else None

    def is_closed(self, leaf: Leaf) -> bool:
        """Returns whether the leaf takes no more: with `keep: first`, as soon as it is true."""
        return not leaf.latest and leaf.count is not None and self.is_true(leaf)

    def passed(self, leaf: Leaf) -> list[Contribution]:
        """Returns the contributions that the task receives."""
        held = self.contributions(leaf)
        if isinstance(leaf.count, Expression) and (count := self.count(leaf)) is not None:
            return held[len(held) - count :] if leaf.latest and count < len(held) else held[:count]
        return held

    # -- conditions ---------------------------------------------------------------------------------------------------

    def is_true(self, node: Node) -> bool:
        """Returns whether the condition is true."""
        if isinstance(node, Leaf):
            if node.need:
                return len(self.held_by(node)) >= node.need
            count = self.count(node)
            return count is not None and len(self.contributions(node)) >= count and (count > 0 or node.zero_is_true)
        if self.is_marked(node):
            return True
        if node.kind is _ALL or node.kind is _SEQUENCE:
            return bool(node.children) and all(self.is_true(child) for child in node.children)
        if node.kind is _ANY:
            return any(self.is_true(child) for child in node.children)
        return sum(self.is_true(child) for child in node.children) >= node.need

    def is_marked(self, node: Combinator) -> bool:
        """Returns whether the combinator has become true within its time."""
        return node.within > 0 and node.mark in self.held.true

    def holds_anything(self, node: Node) -> bool:
        """Returns whether a leaf below has a contribution."""
        return any(self.contributions(leaf) for leaf in node.leaves())

    # -- aliases ------------------------------------------------------------------------------------------------------

    def bound(self, aliases: Members) -> dict[str, object]:
        """Returns the variable `on`: alias -> kwargs, or a list of them. Raises ExpressionFailed.

        It contains these aliases, or all of them if `aliases` is None.
        """
        on: dict[str, object] = {}
        for slot, contribution in self.held.loose.items():
            if slot[0] == "+" and (aliases is None or slot[1:] in aliases):
                on[slot[1:]] = self.evaluator.decoded(contribution.kwargs)
        for alias, leaf in self.conditions.by_alias.items():
            if (aliases is None or alias in aliases) and (held := self.contributions(leaf)):
                values = [self.evaluator.decoded(contribution.kwargs) for contribution in held]
                on[alias] = values if leaf.passes_list else values[-1 if leaf.latest else 0]
        return on


def _kept(leaf: Leaf, matching: list[Contribution]) -> list[Contribution]:
    """Returns those of the matching candidates that the leaf holds as contributions."""
    if leaf.distinct is not None:
        by_key: dict[bytes, Contribution] = {}
        for contribution in matching:
            if leaf.latest:
                by_key.pop(contribution.key, None)
            by_key.setdefault(contribution.key, contribution)
        matching = list(by_key.values())
    if not isinstance(leaf.count, int):
        return matching[-MAX_HELD:]
    return matching[-leaf.count :] if leaf.latest else matching[: leaf.count]
