"""Chooses the events whose orders are explored: every trigger of the application, with kwargs that filters accept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

import msgspec
from msgspec import Struct, field

from triggers.analysis.check.cel_syntax import MemberPath, paths_in, syntax_of
from triggers.analysis.check.condition_lints import filter_of, leaves_of
from triggers.analysis.check.liveness import Supply
from triggers.analysis.check.orders import relevant_names
from triggers.analysis.check.worlds import FiredMove
from triggers.core.conditions.evaluator import Evaluator, Occurrence
from triggers.core.conditions.tree import Leaf
from triggers.core.contribution import Contribution
from triggers.core.edition_2_plan import is_reserved
from triggers.core.edition_2_rule import Edition2Rule
from triggers.core.expressions.program import Expression
from triggers.core.plan import Plan, Rule

MAX_EQUAL: Final = 8
"""The number of events that one leaf gets; a leaf that needs more is not explored."""
_MAX_KINDS: Final = 3
"""The number of different kwargs of one trigger."""
Json = dict[str, object]


class UsualEvents(Struct):
    """The events, and what was left out."""

    events: Counter[FiredMove] = field(default_factory=Counter)
    cut: dict[str, list[str]] = field(default_factory=dict)
    """The leaves that are not explored, by task, because none of the events makes them true."""

    def cut_for(self, plan: Plan, task: Rule) -> list[str]:
        """Returns what is not explored of a task and of those that it depends on."""
        names = relevant_names(plan, task)
        return [why for name, reasons in self.cut.items() if name in names for why in reasons]


def usual_events(plan: Plan, supply: Supply) -> UsualEvents:
    """Returns every trigger of the application that a rule uses, once, or twice if it is some task's `andEvery`.

    In edition 2, as often as a leaf needs it, with kwargs that its filter accepts.
    """
    found = UsualEvents()
    fired = [trigger for trigger in plan.by_trigger if supply.is_fired_by_application(trigger)]
    if plan.edition_2 is not None:
        fired = [trigger for trigger in fired if not is_reserved(trigger)]
    else:
        every = {task.and_every for task in plan.tasks.values()}
        found.events = Counter({FiredMove(trigger): 2 if trigger in every else 1 for trigger in fired})
        return found
    leaves = [(task, leaf) for task in plan.edition_2.tasks.values() for _, leaf in leaves_of(task)]
    demands = _demands(leaves)
    for trigger in fired:
        uses = [(task, leaf) for task, leaf in leaves if leaf.trigger == trigger]
        found.events += Counter(
            {
                FiredMove(trigger, msgspec.json.encode(kwargs)): _fires_of(uses)
                for kwargs in _kinds(uses, demands.get(trigger, {}))
            }
        )
    for task, leaf in leaves:
        if why := _why_unmet(leaf, found.events, supply):
            found.cut.setdefault(task.name, []).append(why)
    return found


def _demands(leaves: list[tuple[Edition2Rule, Leaf]]) -> dict[str, Json]:
    """Returns what filters with `on` demand of the kwargs of other triggers, by trigger."""
    found: dict[str, Json] = {}
    for task, leaf in leaves:
        for path, value in next(_examples(task, leaf), {}).items():
            if path.parts[0] == "on" and len(path.parts) > 2 and path.parts[1] in task.conditions.by_alias:
                other = task.conditions.by_alias[path.parts[1]].trigger
                _put(found.setdefault(other, {}), path.parts[2:], value)
    for task in {task.name: task for task, _ in leaves}.values():
        for path in _paths_of_arguments(task):
            other = task.conditions.by_alias[path.parts[1]].trigger
            _put(found.setdefault(other, {}), path.parts[2:], 1, is_default=True)
    return found


def _paths_of_arguments(task: Edition2Rule) -> Iterator[MemberPath]:
    """Yields what `with` reads of the kwargs of a leaf."""
    for expression in (task.arguments or {}).values():
        for path in paths_in(syntax_of(expression.text)):
            if path.parts[0] == "on" and len(path.parts) > 2 and path.parts[1] in task.conditions.by_alias:
                yield path


def _examples(task: Edition2Rule, leaf: Leaf) -> Iterator[dict[MemberPath, object]]:
    return iter(()) if leaf.when is None else filter_of(task, leaf).examples()


def _kinds(leaves: list[tuple[Edition2Rule, Leaf]], base: Json) -> list[Json]:
    """Returns the different kwargs with which a trigger is fired."""
    kinds: list[Json] = []
    for task, leaf in leaves:
        for example in _examples(task, leaf):
            kwargs: Json = msgspec.json.decode(msgspec.json.encode(base))
            for path, value in example.items():
                if path.parts[0] == "kwargs" and len(path.parts) > 1:
                    _put(kwargs, path.parts[1:], value)
            if _accepts(leaf, kwargs) and kwargs not in kinds:
                kinds.append(kwargs)
    kinds = kinds[:_MAX_KINDS] or [base]
    distinct = next((leaf for _, leaf in leaves if leaf.distinct is not None), None)
    return kinds if distinct is None else list(_different(kinds[0], distinct))


def _different(kwargs: Json, leaf: Leaf) -> Iterator[Json]:
    """Yields kwargs with different values of what `distinct` reads."""
    path = None if leaf.distinct is None else syntax_of(leaf.distinct.text)
    for number in range(_count(leaf)):
        different: Json = msgspec.json.decode(msgspec.json.encode(kwargs))
        if isinstance(path, MemberPath) and path.parts[0] == "kwargs" and len(path.parts) > 1:
            _put(different, path.parts[1:], number + 1)
        yield different


def _put(kwargs: Json, members: tuple[str, ...], value: object, *, is_default: bool = False) -> None:
    *outer, last = members
    for name in outer:
        inner = kwargs.setdefault(name, {})
        if not isinstance(inner, dict):
            return
        kwargs = inner
    if not is_default or last not in kwargs:
        kwargs[last] = value


def _accepts(leaf: Leaf, kwargs: Json) -> bool:
    """Returns whether the filter accepts the kwargs; one with `on` is taken at its word."""
    if leaf.when is None or leaf.correlated:
        return True
    occurrence = Occurrence(leaf.trigger, Contribution(msgspec.json.encode(kwargs), 0, 0))
    return Evaluator({"uid": "local", "rules": None}).is_true(leaf.when, occurrence)


def _count(leaf: Leaf) -> int:
    return min(leaf.count, MAX_EQUAL) if isinstance(leaf.count, int) else 1


def _fires_of(leaves: list[tuple[Edition2Rule, Leaf]]) -> int:
    """Returns how often an event comes: as often as a leaf needs it, and twice as often for an `andEvery`."""
    if any(leaf.distinct is not None for _, leaf in leaves):
        return 1
    is_every = any(leaf is task.conditions.and_every for task, leaf in leaves)
    return min(max(_count(leaf) for _, leaf in leaves) * (2 if is_every else 1), MAX_EQUAL)


def _why_unmet(leaf: Leaf, events: Counter[FiredMove], supply: Supply) -> str:
    """Says why the events may not make a leaf true; empty if they do."""
    if is_reserved(leaf.trigger) and supply.is_fired_by_application(leaf.trigger):
        return f"{leaf.trigger}: its task is not among these rules"
    if isinstance(leaf.count, Expression):
        return f"{leaf.trigger}: its count depends on results"
    if (leaf.count or 1) > MAX_EQUAL:
        return f"{leaf.trigger}: it needs {leaf.count}, and at most {MAX_EQUAL} were tried"
    if leaf.when is None and leaf.distinct is None:
        return ""
    if not supply.is_fired_by_application(leaf.trigger):
        return f"{leaf.trigger}: its filter reads a result"
    accepted = [
        move for move in events if move.trigger == leaf.trigger and _accepts(leaf, msgspec.json.decode(move.kwargs))
    ]
    return (
        ""
        if sum(events[move] for move in accepted) >= (leaf.count or 1)
        else f"{leaf.trigger}: no kwargs were found for its filter"
    )
