"""Says whether one condition is true whenever another one is."""

from __future__ import annotations

from triggers.analysis.check.cel_syntax import Call, Syntax, syntax_of
from triggers.core.conditions.tree import Combinator, Kind, Leaf, Node
from triggers.core.expressions.program import Expression


def implies(one: Node, other: Node) -> bool:
    """Returns whether `other` is true whenever `one` is. False if that is not known."""
    if isinstance(other, Combinator):
        return (not other.within and _implies_combinator(one, other)) or _is_same(one, other)
    if isinstance(one, Leaf):
        return _implies_leaf(one, other)
    match one.kind:
        case Kind.ALL | Kind.SEQUENCE:
            return any(implies(child, other) for child in one.children)
        case Kind.ANY:
            return all(implies(child, other) for child in one.children)
        case Kind.AT_LEAST:
            return sum(not implies(child, other) for child in one.children) < one.need


def _implies_combinator(one: Node, other: Combinator) -> bool:
    """Returns whether so many children of the other one are true that it is."""
    if isinstance(one, Combinator) and one.kind is Kind.ANY and other.kind is not Kind.ALL:
        return all(implies(child, other) for child in one.children)
    true = sum(implies(one, child) for child in other.children)
    match other.kind:
        case Kind.ALL:
            return true == len(other.children)
        case Kind.ANY:
            return true > 0
        case Kind.AT_LEAST:
            return true >= other.need
        case Kind.SEQUENCE:
            return len(other.children) == 1 and true == 1


def _implies_leaf(one: Leaf, other: Leaf) -> bool:
    if one.trigger != other.trigger or other.distinct not in {None, one.distinct}:
        return False
    if isinstance(one.count, Expression) or isinstance(other.count, Expression):
        return one.count == other.count and _is_stricter(one.when, other.when)
    return (one.count or 1) >= (other.count or 1) and _is_stricter(one.when, other.when)


def _is_stricter(one: Expression | None, other: Expression | None) -> bool:
    """Returns whether every event that the one filter accepts is accepted by the other one, too."""
    if other is None or one == other:
        return True
    return one is not None and _parts(syntax_of(other.text)) <= _parts(syntax_of(one.text))


def _parts(tree: Syntax) -> set[Syntax]:
    """Returns the parts of a filter that are joined by `&&`."""
    if isinstance(tree, Call) and tree.name == "&&":
        return {part for side in tree.arguments for part in _parts(side)}
    return {tree}


def _is_same(one: Node, other: Node) -> bool:
    """Returns whether two conditions differ in nothing but aliases and `keep`."""
    if isinstance(one, Leaf) and isinstance(other, Leaf):
        return (one.trigger, one.when, one.distinct, one.count) == (
            other.trigger,
            other.when,
            other.distinct,
            other.count,
        )
    if isinstance(one, Leaf) or isinstance(other, Leaf):
        return False
    same = (one.kind, one.need, one.within) == (other.kind, other.need, other.within)
    return same and len(one.children) == len(other.children) and all(map(_is_same, one.children, other.children))
