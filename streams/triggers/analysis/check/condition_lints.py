"""Finds conditions of edition 2 that are never true, always true, or decide nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import permutations

from triggers.analysis.check.cel_syntax import syntax_of
from triggers.analysis.check.filters import Filter
from triggers.analysis.check.findings import CheckFinding, finding
from triggers.analysis.check.implication import implies
from triggers.analysis.check.liveness import Supply
from triggers.analysis.check.locations import Locations
from triggers.core.conditions.tree import MAX_HELD, Combinator, Kind, Leaf, Node, combinators
from triggers.core.edition_2_rule import Edition2Rule
from triggers.core.expressions.program import Expression, constant_of
from triggers.core.nearest_name import suggestion

NO_EVENT_NAMES = frozenset({"kwargs", "event"})


def impossible_leaves(rules: dict[str, Edition2Rule], supply: Supply) -> dict[tuple[str, str], str]:
    """Returns the leaves that can never be true, as task and slot, with the reason."""
    found: dict[tuple[str, str], str] = {}
    for task in rules.values():
        for leaf in task.conditions.leaves:
            if why := why_never(task, leaf, supply):
                found[task.name, leaf.slot] = why
    return found


def why_never(task: Edition2Rule, leaf: Leaf, supply: Supply) -> str:
    """Says why a leaf can never be true, whatever is fired; empty if it can."""
    return _why_no_event(task, leaf) or _why_not_enough(task, leaf, supply)


def _why_no_event(task: Edition2Rule, leaf: Leaf) -> str:
    if leaf.when is None:
        return ""
    if not leaf.when.references.variables:
        value = constant_of(leaf.when)
        return "" if value is True else f"its `when` is always {json.dumps(value, default=str):.40}"
    return filter_of(task, leaf).why_never()


def filter_of(task: Edition2Rule, leaf: Leaf) -> Filter:
    """Returns the filter of a leaf that has a `when`."""
    return Filter(syntax_of("" if leaf.when is None else leaf.when.text), leaf.trigger, task.conditions.by_alias)


def _why_not_enough(task: Edition2Rule, leaf: Leaf, supply: Supply) -> str:
    if isinstance(leaf.count, Expression):
        return _why_no_count(task, leaf.count)
    count = leaf.count or 1
    if leaf.distinct is not None and count > 1 and not NO_EVENT_NAMES & leaf.distinct.references.variables.keys():
        return f"it needs {count} different values, and its `distinct` is the same for every event"
    maximum = supply.max_fires(leaf.trigger)
    if count > maximum:
        return f"it needs {count} x {leaf.trigger}, which fires at most {maximum:.0f} x in a session"
    return ""


def _why_no_count(task: Edition2Rule, count: Expression) -> str:
    unknown = unknown_aliases(task, count)
    if unknown:
        return f"its `count` reads on.{unknown[0]}, which does not exist"
    if count.references.variables:
        return ""
    value = constant_of(count)
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_HELD
    return (
        ""
        if is_count
        else f"its `count` is {json.dumps(value, default=str):.40}, and not a whole number from 0 to {MAX_HELD}"
    )


def unknown_aliases(task: Edition2Rule, expression: Expression) -> list[str]:
    """Returns the aliases that the expression reads and the task does not have."""
    return sorted(set(expression.aliases or ()) - task.conditions.by_alias.keys())


class ConditionLints:
    """Checks the conditions of tasks of edition 2."""

    def __init__(self, locations: Locations, impossible: dict[tuple[str, str], str], supply: Supply) -> None:
        self._locations = locations
        self._impossible = impossible
        self._supply = supply

    def find(self, task: Edition2Rule) -> Iterator[CheckFinding]:
        """Yields the findings of a task."""
        for directive, leaf in leaves_of(task):
            yield from self._leaf(task, directive, leaf)
        for directive, node in _trees(task):
            for inner in combinators(node):
                yield from self._branches(task, directive, inner)
        yield from self._aliases(task)

    def _leaf(self, task: Edition2Rule, directive: str, leaf: Leaf) -> Iterator[CheckFinding]:
        location = self._locations.find(task.name, directive, _anchor_of(leaf))
        leaf_words = f"{leaf.trigger!r} in `{directive}` of {task.name}"
        why = self._impossible.get((task.name, leaf.slot), "") if directive != "cancelOn" else _why_no_event(task, leaf)
        nobody = "" if directive == "unless" else self._supply.why_not(leaf.trigger)
        if why or nobody:
            fix = "correct the expression or the number" if why else "name a trigger that can fire"
            yield finding(
                "never-true",
                location,
                f"{leaf_words} is never true: {why or nobody}",
                fix,
                task=task.name,
                directive=directive,
            )
        elif leaf.when is not None and _is_always(task, leaf):
            message = f"the `when` of {leaf_words} is true of every event, so it filters nothing"
            yield finding(
                "always-true", location, message, "delete it, or correct it", task=task.name, directive=directive
            )

    def _branches(self, task: Edition2Rule, directive: str, node: Combinator) -> Iterator[CheckFinding]:
        """Finds branches of `any` and `atLeast` whose truth follows from another branch, or from which one follows."""
        if node.kind is not Kind.ANY:
            return
        reported: set[int] = set()
        for (number, one), (other_number, other) in permutations(enumerate(node.children), 2):
            if number not in reported and other_number not in reported and implies(one, other):
                reported.add(number)
                where = f"in `any` of `{directive}` of {task.name}"
                message = f"{where}, {_words(one)} decides nothing: {_words(other)} is true, too"
                location = self._locations.find(task.name, directive, _anchor_of(next(one.leaves())))
                fix = "delete the branch, or make the other one stricter"
                yield finding("subsumed-branch", location, message, fix, task=task.name, directive=directive)

    def _aliases(self, task: Edition2Rule) -> Iterator[CheckFinding]:
        known = task.conditions.by_alias
        for directive, where, expression in _expressions(task):
            for alias in unknown_aliases(task, expression):
                message = f"{where} of {task.name} reads on.{alias}, but no leaf of the task has that name"
                fix = suggestion(alias, known).lstrip("; ") or f"the names are {', '.join(known) or 'none'}"
                location = self._locations.find(task.name, directive, expression.text)
                yield finding("unknown-alias", location, message, fix, task=task.name, directive=directive)


def _is_always(task: Edition2Rule, leaf: Leaf) -> bool:
    if leaf.when is None:
        return False
    return constant_of(leaf.when) is True or filter_of(task, leaf).is_always()


def leaves_of(task: Edition2Rule) -> Iterator[tuple[str, Leaf]]:
    """Yields all leaves of a task with their directives."""
    conditions = task.conditions
    for leaf in conditions.root.leaves():
        yield "andEvery" if leaf is conditions.and_every else "after", leaf
    if conditions.unless is not None:
        yield from (("unless", leaf) for leaf in conditions.unless.leaves())
    if task.cancel_on is not None:
        yield from (("cancelOn", leaf) for leaf in task.cancel_on.leaves)


def _trees(task: Edition2Rule) -> Iterator[tuple[str, Node]]:
    yield "after", task.conditions.root
    if task.conditions.unless is not None:
        yield "unless", task.conditions.unless


def _expressions(task: Edition2Rule) -> Iterator[tuple[str, str, Expression]]:
    """Yields the expressions of a task that may read `on`, with their directive and what they are."""
    for directive, leaf in leaves_of(task):
        if leaf.when is not None:
            yield directive, f"the `when` of {leaf.trigger!r}", leaf.when
        if isinstance(leaf.count, Expression):
            yield directive, f"the `count` of {leaf.trigger!r}", leaf.count
    for name, expression in (task.arguments or {}).items():
        yield "with", f"the argument {name!r}", expression


def expressions_of(task: Edition2Rule) -> Iterator[Expression]:
    """Yields every expression of a task."""
    yield from (expression for _, _, expression in _expressions(task))
    yield from (leaf.distinct for _, leaf in leaves_of(task) if leaf.distinct is not None)


def _anchor_of(leaf: Leaf) -> str:
    return leaf.trigger if leaf.when is None else leaf.when.text


def _words(node: Node) -> str:
    names = dict.fromkeys(repr(leaf.trigger) for leaf in node.leaves())
    return " and ".join(names) if isinstance(node, Leaf) else f"{node.kind} of {', '.join(names)}"
