"""Finds times of edition 2 that cannot work: deadlines, delays and windows; and what `unless` remembers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import permutations

from triggers.analysis.check.findings import CheckFinding, finding
from triggers.analysis.check.liveness import Supply
from triggers.analysis.check.locations import Locations
from triggers.analysis.check.needs import FREE, always_needed, deadline_leaves, every, need_of_node
from triggers.analysis.times import duration_words
from triggers.core.conditions.tree import Combinator, Kind, Leaf, Node, combinators
from triggers.core.edition_2_rule import Edition2Rule
from triggers.core.expressions.program import Expression


class TimeLints:
    """Checks the times of tasks of edition 2."""

    def __init__(self, rules: Mapping[str, Edition2Rule], locations: Locations, supply: Supply) -> None:
        self._rules = rules
        self._locations = locations
        self._supply = supply

    def find(self, task: Edition2Rule) -> Iterator[CheckFinding]:
        """Yields the findings of a task."""
        yield from self._deadline(task)
        yield from self._windows(task)
        yield from self._memory(task)
        yield from self._arguments(task)

    # -- deadlines ----------------------------------------------------------------------------------------------------

    def _deadline(self, task: Edition2Rule) -> Iterator[CheckFinding]:
        if task.deadline is None or not deadline_leaves(task):
            return
        deadline, location = task.deadline, self._locations.find(task.name, "deadline")
        wait, delay = duration_words(deadline.wait), task.delay
        if delay is not None and deadline.wait < delay.wait:
            then = "runs without its delay" if deadline.runs else "expires before it can run"
            longer = duration_words(delay.wait)
            message = f"the deadline of {task.name} ({wait}) is over before its delay ({longer}): it always {then}"
            fix = "make the deadline longer than the delay, or delete one of them"
            rule = "delay-never-ends" if deadline.runs else "deadline-always-wins"
            yield finding(rule, location, message, fix, task=task.name, directive="deadline")
        elif _is_ready_at_once(task) and (latest := _starts_by(task)) is not None and latest <= deadline.wait:
            start = (
                f"{duration_words(delay.wait)} after its first event" if delay is not None else "with its first event"
            )
            message = f"the deadline of {task.name} is never due: an instance starts {start}"
            fix = "delete the deadline, or let the task wait for more"
            yield finding("deadline-never-due", location, message, fix, task=task.name, directive="deadline")

    # -- windows ------------------------------------------------------------------------------------------------------

    def _windows(self, task: Edition2Rule) -> Iterator[CheckFinding]:
        trees = [
            ("after", task.conditions.root),
            *([("unless", task.conditions.unless)] if task.conditions.unless else []),
        ]
        for directive, tree in trees:
            for node in combinators(tree):
                if node.within:
                    yield from self._window(task, directive, node)

    def _window(self, task: Edition2Rule, directive: str, node: Combinator) -> Iterator[CheckFinding]:
        needed = sorted(always_needed(need_of_node(node, lambda _: False)))
        for one, other in permutations(needed, 2):
            lag = self._lag(other, one)
            if lag > node.within:
                words = f"{other!r} fires {duration_words(lag)} after {one!r} or later"
                again = "" if self._supply.max_fires(one) <= 1 else f", unless {one!r} fires again"
                message = f"`within` {duration_words(node.within)} of {task.name} never holds{again}: {words}"
                location = self._locations.find(task.name, "within" if node is task.conditions.root else directive)
                fix = f"make `within` longer than {duration_words(lag)}"
                yield finding("within-too-short", location, message, fix, task=task.name, directive=directive)

    def _lag(self, trigger: str, since: str, seen: frozenset[str] = frozenset()) -> int:
        """Returns the least time between two triggers if the first one leads to the other one; 0 if it does not."""
        source = self._supply.producer(trigger)
        task = None if source is None else self._rules.get(source[0])
        if source is None or task is None or trigger in seen or self._supply.is_fired_by_application(trigger):
            return 0
        if source[1] == "expired":
            return task.deadline.wait if task.deadline is not None and self._begins_with(task, since) else 0
        if source[1] not in {"finished", "failed", "skipped"} or (task.deadline is not None and task.deadline.runs):
            return 0
        needed = always_needed(need_of_node(task.conditions.root, lambda _: False))
        delay = 0 if task.delay is None else task.delay.wait
        lags = [0 if one == since else self._lag(one, since, seen | {trigger}) for one in needed]
        leads = since in needed or any(lags)
        return delay + max(lags, default=0) if leads else 0

    @staticmethod
    def _begins_with(task: Edition2Rule, since: str) -> bool:
        return {leaf.trigger for leaf in deadline_leaves(task)} == {since}

    # -- memory -------------------------------------------------------------------------------------------------------

    def _memory(self, task: Edition2Rule) -> Iterator[CheckFinding]:
        """Finds a `unless` that, once true, abandons every later instance, too."""
        unless, name = task.conditions.unless, task.name
        if unless is None or task.conditions.and_every is None or any(leaf.correlated for leaf in unless.leaves()):
            return
        triggers = " and ".join(dict.fromkeys(repr(leaf.trigger) for leaf in unless.leaves()))
        message = f"`unless` of {name} is remembered: after {triggers}, every later instance is abandoned, too"
        alias = task.conditions.and_every.alias
        fix = f'if each {alias!r} has one of its own, compare them in `when`, such as "kwargs.id == on.{alias}.id"'
        rule = "unless-ends-task" if task.delay is None else "unless-remembers"
        yield finding(rule, self._locations.find(name, "unless"), message, fix, task=name, directive="unless")

    # -- arguments ----------------------------------------------------------------------------------------------------

    def _arguments(self, task: Edition2Rule) -> Iterator[CheckFinding]:
        """Finds arguments that read an alias which the instance need not have when it starts."""
        held = self._always_held(task)
        for name, expression in (task.arguments or {}).items():
            for alias in sorted((expression.aliases or frozenset()) - held):
                if alias in task.conditions.by_alias and not _is_guarded(expression, alias):
                    message = (
                        f"the argument {name!r} of {task.name} reads on.{alias}, which an instance may lack when it"
                        " starts; it then fails without an attempt"
                    )
                    fix = f"write has(on.{alias}) ? … : …, with what to pass instead"
                    location = self._locations.find(task.name, "with", expression.text)
                    yield finding("argument-may-fail", location, message, fix, task=task.name, directive="with")

    @staticmethod
    def _always_held(task: Edition2Rule) -> set[str]:
        """Returns the aliases that every instance has when it starts."""
        if task.deadline is not None and task.deadline.runs:
            leaves = deadline_leaves(task)
            return {leaf.alias for leaf in leaves} if len(leaves) == 1 else set()
        root = task.conditions.root
        zero = {leaf.alias for leaf in root.leaves() if isinstance(leaf.count, Expression)}
        return always_needed(every([need_of_node(root, lambda _: False, lambda leaf: leaf.alias), FREE])) | zero


def _is_ready_at_once(task: Edition2Rule) -> bool:
    """Returns whether an instance has all that it needs with the event that creates it."""
    conditions = task.conditions
    unless = 0 if conditions.unless is None else len(list(conditions.unless.leaves()))
    only = _only(conditions.root)
    if isinstance(only, Leaf):
        return unless == 0 and _is_true_by_one(only)
    return unless == 0 and only.kind is Kind.ANY and all(map(_is_true_by_one, only.children))


def _only(node: Node) -> Node:
    """Returns the condition inside lists of one condition."""
    while isinstance(node, Combinator) and len(node.children) == 1:
        node = node.children[0]
    return node


def _is_true_by_one(node: Node) -> bool:
    return isinstance(node, Leaf) and node.count in {1, None} and not node.correlated


def _starts_by(task: Edition2Rule) -> int | None:
    """Returns the milliseconds between readiness and start; None if there is no limit."""
    if task.delay is None:
        return 0
    return (task.delay.at_most or None) if task.delay.restart else task.delay.wait


def _is_guarded(expression: Expression, alias: str) -> bool:
    """Returns whether the expression asks whether there is such an alias."""
    text = "".join(expression.text.split())
    return f"has(on.{alias}" in text or f"'{alias}'inon" in text or f'"{alias}"inon' in text or "?" in text
