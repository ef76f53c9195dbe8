"""Refuses conditions with a mistake that no single leaf shows."""

from __future__ import annotations

from triggers.core.conditions.tree import Conditions, Kind, Leaf, Node
from triggers.core.expressions.program import Expression, constant_of
from triggers.errors import InvalidConfiguration


def check_conditions(conditions: Conditions, where: str) -> None:
    """Raises InvalidConfiguration for an alias of two leaves, for leaves that need each other, and if always true."""
    _check_aliases(conditions, where)
    _check_circles(conditions, where)
    for node, directive in ((conditions.root, "after"), (conditions.unless, "unless")):
        if node is not None and _is_always_true(node):
            raise InvalidConfiguration(f"{where}: {directive!r} is always true; name a trigger that it waits for")


def _check_aliases(conditions: Conditions, where: str) -> None:
    seen: set[str] = set()
    for leaf in conditions.root.leaves():
        if leaf.alias in seen:
            raise InvalidConfiguration(
                f"{where}: two leaves of 'after' and 'andEvery' are named {leaf.alias!r}; name one of them by 'as'"
            )
        seen.add(leaf.alias)


def _check_circles(conditions: Conditions, where: str) -> None:
    """Refuses leaves whose `when` depends on itself."""
    needs = {leaf.alias: _needs(leaf) for leaf in conditions.root.leaves() if leaf.correlated}
    for alias, needed in needs.items():
        reached, ahead = set[str](), set(needed)
        while ahead:
            other = ahead.pop()
            reached.add(other)
            ahead |= needs.get(other, frozenset()) - reached
        if alias in reached:
            raise InvalidConfiguration(
                f"{where}: the 'when' of {alias!r} needs {alias!r} itself, possibly through other leaves;"
                " name other leaves in it"
            )


def _needs(leaf: Leaf) -> frozenset[str]:
    return frozenset() if leaf.when is None else leaf.when.aliases or frozenset()


def _is_always_true(node: Node) -> bool:
    if isinstance(node, Leaf):
        return isinstance(node.count, Expression) and _is_zero(constant_of(node.count))
    always = sum(_is_always_true(child) for child in node.children)
    match node.kind:
        case Kind.ALL | Kind.SEQUENCE:
            return always == len(node.children) > 0
        case Kind.ANY:
            return always > 0
        case Kind.AT_LEAST:
            return always >= node.need


def _is_zero(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value == 0
