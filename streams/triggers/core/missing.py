"""Which triggers the waiting instances of a session lack."""

from __future__ import annotations

from collections import Counter

from triggers.core.conditions.condition_view import ConditionView
from triggers.core.conditions.evaluator import Evaluator
from triggers.core.edition_2_rule import Edition2Rule
from triggers.core.plan import Rule
from triggers.core.state.cohorts import members_of_cohort
from triggers.core.state.header_parts import TaskState
from triggers.core.state.number_ranges import numbers_in
from triggers.core.state.session import Session

Missing = dict[tuple[str, ...], int]
"""Missing triggers -> number of waiting instances."""


def missing_by_task(session: Session) -> dict[str, Missing]:
    """Returns what the waiting instances of each task lack. Tasks without waiting instances are left out."""
    found = {name: missing_of(session, rule) for name, rule in session.plan.tasks.items()}
    return {name: missing for name, missing in found.items() if missing}


def missing_of(session: Session, rule: Rule) -> Missing:
    """Returns what the waiting instances of a task lack; nothing if none waits."""
    if rule.edition_2 is not None:
        return _missing_in_edition_2(session, rule.edition_2)
    state = session.tasks.get(rule.name)
    return {} if state is None else _missing_in_cohorts(rule, state)


def triggers_awaited(session: Session, rule: Rule) -> set[str]:
    """Returns the triggers that a task waits for.

    They are those that its waiting instances lack, or, if it has no instance yet, those of its conditions that have
    not been fired.
    """
    state = session.tasks.get(rule.name)
    if state is not None and state.count:
        return {trigger for missing in missing_of(session, rule) for trigger in missing}
    if rule.edition_2 is not None and rule.edition_2.optional:
        return set()
    return {trigger for trigger in rule.after if session.latest.get(trigger) is None}


def _missing_in_cohorts(rule: Rule, state: TaskState) -> Missing:
    groups: Counter[tuple[str, ...]] = Counter()
    for cohort in state.cohorts:
        missing = tuple(trigger for trigger in rule.after if trigger not in cohort.have)
        groups[missing] += len(members_of_cohort(cohort))
    return dict(groups)


def _missing_in_edition_2(session: Session, rule: Edition2Rule) -> Missing:
    """Returns the number of waiting instances by the triggers of the leaves that are not true."""
    groups: Counter[tuple[str, ...]] = Counter()
    evaluator = Evaluator(session.variables())
    for group in session.waiting.get(rule.name).groups:
        view, root = ConditionView(rule.conditions, group.held, evaluator), rule.conditions.root
        is_ready = group.delayed or view.is_true(root)
        leaves = () if is_ready else [leaf for leaf in root.leaves() if not view.is_true(leaf)]
        groups[tuple(sorted({leaf.trigger for leaf in leaves}))] += len(numbers_in(group.members))
    return dict(groups)
