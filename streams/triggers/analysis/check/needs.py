"""The triggers that must have fired before something can happen: `all`, `any` and `atLeast` over their names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from triggers.core.conditions.tree import Kind, Leaf, Node
from triggers.core.edition_2_rule import Edition2Rule
from triggers.core.expressions.program import Expression
from triggers.core.plan import Rule


@dataclass(frozen=True, slots=True)
class Need:
    """At least so many of these must be met. A text is met when the trigger of that name has fired."""

    at_least: int
    of: tuple[Need | str, ...]


NEVER: Final = Need(1, ())
"""Nothing meets it."""
FREE: Final = Need(0, ())
"""It is met from the beginning."""

Impossible = Callable[[Leaf], bool]
"""Returns whether a leaf can never be true, whatever fires."""
NameOf = Callable[[Leaf], str]


def every(parts: Iterable[Need | str]) -> Need:
    """Returns the need for all parts."""
    found = tuple(parts)
    return Need(len(found), found)


def is_met(need: Need | str, fires: Callable[[str], bool]) -> bool:
    """Returns whether the need is met if those triggers fire for which `fires` is true."""
    return fires(need) if isinstance(need, str) else sum(is_met(part, fires) for part in need.of) >= need.at_least


def always_needed(need: Need | str) -> set[str]:
    """Returns the names without which the need cannot be met."""
    if isinstance(need, str):
        return {need}
    counts = Counter(name for part in need.of for name in always_needed(part))
    return {name for name, count in counts.items() if need.at_least > len(need.of) - count}


def need_of_node(node: Node, impossible: Impossible, name_of: NameOf = lambda leaf: leaf.trigger) -> Need | str:
    """Returns what makes a condition true. `name_of` is what stands for a leaf."""
    if isinstance(node, Leaf):
        if impossible(node):
            return NEVER
        return FREE if isinstance(node.count, Expression) and node.zero_is_true else name_of(node)
    parts = [need_of_node(child, impossible, name_of) for child in node.children]
    match node.kind:
        case Kind.ALL | Kind.SEQUENCE:
            return every(parts)
        case Kind.ANY:
            return _at_least(1, parts)
        case Kind.AT_LEAST:
            return _at_least(node.need, parts)


def _at_least(least: int, parts: list[Need | str]) -> Need:
    """Leaves out the parts that are never met, so that the others count as needed."""
    return Need(least, tuple(part for part in parts if is_met(part, lambda _: True)))


def need_of_task(task: Rule, impossible: Impossible) -> Need:
    """Returns what must have fired before the task can run."""
    if task.edition_2 is None:
        return every(task.after)
    return every([need_of_instance(task.edition_2, impossible), _need_to_start(task.edition_2, impossible)])


def need_of_instance(rule: Edition2Rule, impossible: Impossible) -> Need:
    """Returns what must have fired before the task has an instance, which leaves with `on` alone do not begin."""
    makers = [leaf for leaf in rule.conditions.leaves if not leaf.correlated and not impossible(leaf)]
    return Need(1, tuple(leaf.trigger for leaf in makers))


def _need_to_start(rule: Edition2Rule, impossible: Impossible) -> Need | str:
    root = need_of_node(rule.conditions.root, impossible)
    if rule.deadline is None or not rule.deadline.runs:
        return root
    return Need(1, (root, *(leaf.trigger for leaf in deadline_leaves(rule) if not impossible(leaf))))


def deadline_leaves(rule: Edition2Rule) -> list[Leaf]:
    """Returns the leaves whose first contribution begins the deadline."""
    every_leaf = rule.conditions.and_every
    leaves = [every_leaf] if every_leaf is not None else list(rule.conditions.after_leaves)
    return [leaf for leaf in leaves if not leaf.correlated]
