"""Finds, task by task, whether the order in which events arrive decides what runs.

What a task does depends only on the triggers it uses and, if they are tasks, on the triggers that those use. So each
task is explored with these rules and events alone. The other events change nothing: each order of these events stands
for the same number of orders of all events.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from math import factorial, prod
from typing import Final

from msgspec import Raw, Struct

from triggers.analysis.check.exploration import AllOrders, Exploration, Reached, SampledOrders
from triggers.analysis.check.worlds import FiredMove, Results, World, Worlds, runs_with
from triggers.core.kwargs import join_object, split_members
from triggers.core.limits import LIMITS_NAME
from triggers.core.plan import Plan, Rule
from triggers.core.statuses import Status

MAX_WORLDS: Final = 20_000
WALKS: Final = 2_000


class Budget(Struct, frozen=True):
    """The limits of the exploration of each task."""

    worlds: int = MAX_WORLDS
    """The maximum number of worlds. If there are more, orders are sampled."""
    walks: int = WALKS
    """The number of orders in a sample."""


class OrderOutcome(Struct, frozen=True, kw_only=True):
    """One outcome of a task, and the orders that lead to it."""

    runs: list[dict[str, Raw]]
    """The kwargs of each run, without `withParams`."""
    abandoned: int
    waiting: int
    """The number of instances that neither run nor are abandoned."""
    orders: int
    example: list[str]
    """One of these orders."""


class Witness(Struct, frozen=True, kw_only=True):
    """One of two orders of the same events with different outcomes."""

    order: list[str]
    runs: list[dict[str, Raw]]


class TaskOrders(Struct, frozen=True, kw_only=True):
    """The outcomes of a task in different orders of the events that matter to it."""

    task: str
    events: dict[str, int]
    """The events that matter, and how often each comes."""
    exhaustive: bool
    """True if every order was explored, False if a sample was."""
    explored: int
    """The number of orders that were explored."""
    orders: int | None
    """The number of all orders, or None if it is not known."""
    worlds: int
    """The number of different states of the session that were visited."""
    outcomes: list[OrderOutcome]
    """Sorted by frequency, the most frequent first."""
    witnesses: tuple[Witness, Witness] | None
    """Two orders of the same events in which the task runs differently."""
    shortest: bool
    """True if no smaller set of events has different outcomes. Otherwise, no single event of the witnesses can be left
    out."""

    @property
    def sensitive(self) -> bool:
        """True if the order decides how often the task runs, or with which kwargs."""
        return len(self.outcomes) > 1


def usual_events(plan: Plan, declared: Collection[str] | None = None) -> Counter[FiredMove]:
    """Returns every trigger of the application that a rule uses, once, or twice if it is some task's `andEvery`."""
    every = {task.and_every for task in plan.tasks.values()}
    fired = [t for t in plan.by_trigger if (t not in plan.tasks if declared is None else t in declared)]
    return Counter({FiredMove(trigger): 2 if trigger in every else 1 for trigger in fired})


def explore_orders(
    plan: Plan, task: Rule, events: Mapping[FiredMove, int], results: Results, budget: Budget
) -> TaskOrders:
    """Explores what the task does in different orders of the events. Raises EndlessCascade."""
    used = _relevant_names(plan, task)
    kinds = sorted((kind, count) for kind, count in events.items() if kind.trigger in used)
    rules = join_object({name: directives for name, directives in split_members(plan.text).items() if name in used})
    worlds = Worlds(rules, kinds, results)

    def outcome(world: World) -> tuple[object, ...]:
        return tuple(sorted(runs_with(i) for i in world.instances if _ran(task.name, i.task, i.status)))

    exploration = AllOrders(worlds, outcome).explore(budget.worlds) or SampledOrders(worlds, outcome).explore(
        budget.walks
    )
    return _summarize(task.name, kinds, exploration, results)


def _relevant_names(plan: Plan, task: Rule) -> set[str]:
    """Returns the names of the task and its triggers and, if these are tasks, of their triggers, and so on."""
    names = {LIMITS_NAME}
    ahead = [task.name]
    while ahead:
        name = ahead.pop()
        if name not in names:
            names.add(name)
            rule = plan.tasks.get(name)
            ahead += (*rule.after, *rule.unless) if rule else ()
    return names


def _summarize(
    task: str, kinds: Sequence[tuple[FiredMove, int]], exploration: Exploration, results: Results
) -> TaskOrders:
    ends = sorted(exploration.outcomes.values(), key=lambda reached: (-reached.orders, str(reached.example)))
    witnesses = exploration.witnesses if len(ends) > 1 else None
    return TaskOrders(
        task=task,
        events={str(kind): count for kind, count in kinds},
        exhaustive=exploration.exhaustive,
        explored=exploration.orders,
        orders=exploration.orders if exploration.exhaustive else _permutations(kinds, results),
        worlds=exploration.worlds,
        outcomes=[_outcome(task, reached) for reached in ends],
        witnesses=None if witnesses is None else (_witness(task, witnesses[0]), _witness(task, witnesses[1])),
        shortest=exploration.exhaustive,
    )


def _permutations(kinds: Sequence[tuple[FiredMove, int]], results: Results) -> int | None:
    """Returns the number of orders, or None if results come at any time: only walking them all could count those."""
    counts = [count for _, count in kinds]
    return factorial(sum(counts)) // prod(map(factorial, counts)) if results is Results.AT_ONCE else None


def _outcome(task: str, reached: Reached) -> OrderOutcome:
    statuses = [instance.status for instance in reached.world.instances if instance.task == task]
    return OrderOutcome(
        runs=_runs(task, reached.world),
        abandoned=statuses.count(Status.ABANDONED),
        waiting=statuses.count(Status.UNSTARTED),
        orders=reached.orders,
        example=[str(move) for move in reached.example],
    )


def _witness(task: str, reached: Reached) -> Witness:
    return Witness(order=[str(move) for move in reached.example], runs=_runs(task, reached.world))


def _runs(task: str, world: World) -> list[dict[str, Raw]]:
    runs = sorted(runs_with(i) for i in world.instances if _ran(task, i.task, i.status))
    return [{trigger: Raw(kwargs) for trigger, kwargs in run} for run in runs]


def _ran(task: str, of: str, status: str) -> bool:
    return of == task and status == Status.FINISHED
