"""Asks the leaves of a session of edition 2 what they make of a trigger that fired."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any, NamedTuple

from triggers.analysis.explain.explanation import LeafReaction, LeafVerdict
from triggers.core.conditions.condition_view import ConditionView
from triggers.core.conditions.evaluator import Evaluator, Occurrence
from triggers.core.conditions.offering import match_leaves
from triggers.core.conditions.tree import Leaf
from triggers.core.contribution import Contribution
from triggers.core.edition_2_rule import Edition2Rule
from triggers.core.expressions.failure import ExpressionFailed
from triggers.core.state.number_ranges import closed_ranges
from triggers.core.state.session import Session


class Fired(NamedTuple):
    """A trigger that fired in a step."""

    trigger: str
    order: int
    """The number of the fire in the session."""
    contribution: Contribution | None
    """The kwargs that it was fired with, or None if the trigger fired again in the same step."""


def verdicts(session: Session, fire: Fired) -> Iterator[LeafVerdict]:
    """Yields the verdict of every leaf that has the trigger. `session` is the one after the event."""
    if session.plan.edition_2 is None or fire.contribution is None:
        return
    occurrence = Occurrence(fire.trigger, fire.contribution)
    for rule in session.plan.edition_2.by_trigger.get(fire.trigger, ()):
        for directive, leaf in _leaves(rule):
            if leaf.trigger == fire.trigger:
                yield _Question(session, rule, leaf, directive).verdict(occurrence)


def _leaves(rule: Edition2Rule) -> Iterator[tuple[str, Leaf]]:
    conditions = rule.conditions
    for leaf in conditions.leaves:
        in_after = leaf.slot[0] == "+"
        yield ("andEvery" if leaf is conditions.and_every else "after" if in_after else "unless"), leaf
    for leaf in () if rule.cancel_on is None else rule.cancel_on.leaves:
        yield "cancelOn", leaf


class _Question:
    """One leaf and one event."""

    def __init__(self, session: Session, rule: Edition2Rule, leaf: Leaf, directive: str) -> None:
        self._session = session
        self._rule = rule
        self._leaf = leaf
        self._directive = directive
        self._evaluator = Evaluator(session.variables())

    def verdict(self, occurrence: Occurrence) -> LeafVerdict:
        leaf = self._leaf
        accepts = bool(match_leaves((leaf,), occurrence, self._evaluator).keys)
        failures = "; ".join(f"{text}: {reason}" for text, reason in self._evaluator.failures)
        return LeafVerdict(
            task=self._rule.name,
            directive=self._directive,
            trigger=leaf.trigger,
            alias=leaf.alias,
            verdict=self._kind(accepts=accepts, failed=bool(failures)),
            when=None if leaf.when is None else leaf.when.text,
            values=_values(leaf, occurrence),
            why=failures,
            numbers=[] if self._directive == "cancelOn" else list(self._holders(occurrence.contribution.order)),
        )

    def _kind(self, *, accepts: bool, failed: bool) -> LeafReaction:
        if not accepts:
            return LeafReaction.FAILED if failed else LeafReaction.REFUSED
        return LeafReaction.CANDIDATE if self._leaf.correlated else LeafReaction.ACCEPTED

    def _holders(self, order: int) -> Iterator[tuple[int, int]]:
        """Yields the waiting instances whose leaf holds the event. The engine offers an event to a group as a whole."""
        for group in self._session.waiting.get(self._rule.name).groups:
            view = ConditionView(self._rule.conditions, group.held, self._evaluator)
            if any(each.order == order for each in view.contributions(self._leaf)):
                yield from closed_ranges(group.members)


def _values(leaf: Leaf, occurrence: Occurrence) -> dict[str, Any]:
    """Returns the members of the event that `when` and `distinct` read."""
    found: dict[str, Any] = {}
    for expression in (leaf.when, leaf.distinct):
        if expression is not None:
            with suppress(ExpressionFailed):
                found |= occurrence.variables(expression)
    return found
