"""Finds, task by task, whether the order in which events arrive decides what runs.

What a task does depends only on the triggers it uses and, if they are tasks, on the triggers that those use. So each
task is explored with these rules and events alone. The other events change nothing: each order of these events stands
for the same number of orders of all events.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import factorial, prod
from typing import Final

from msgspec import Raw, Struct, structs

from triggers.analysis.check.edition_2_worlds import MAX_WAITS, Edition2Worlds, Pace
from triggers.analysis.check.exploration import AllOrders, Exploration, Reached, SampledOrders, WorldGraph
from triggers.analysis.check.steps import Step, steps_of
from triggers.analysis.check.worlds import FiredMove, Results, World, Worlds
from triggers.core.config import compile_plan
from triggers.core.edition_2_plan import EDITION, SESSION, is_reserved
from triggers.core.kwargs import join_object, split_members
from triggers.core.limits import LIMITS_NAME
from triggers.core.plan import Plan, Rule
from triggers.core.statuses import Status

MAX_WORLDS: Final = 20_000
WALKS: Final = 2_000
_WEIGHT: Final = 10
"""Worlds and walks of edition 2 count tenfold, because time makes more of them, and each takes longer to compute."""


class Budget(Struct, frozen=True):
    """The limits of the exploration of each task."""

    worlds: int = MAX_WORLDS
    """The maximum number of worlds. If there are more, orders are sampled."""
    walks: int = WALKS
    """The number of orders in a sample."""


class OrderOutcome(Struct, frozen=True, kw_only=True):
    """One outcome of a task, and the orders that lead to it."""

    runs: list[dict[str, Raw]]
    """The kwargs of each run, without `withParams` and `with`."""
    abandoned: int
    waiting: int
    """The number of instances that neither run nor are abandoned."""
    orders: int
    example: list[str]
    """One of these orders."""
    expired: int = 0
    cancelled: int = 0


class Witness(Struct, frozen=True, kw_only=True):
    """One of two orders of the same events with different outcomes."""

    order: list[str]
    runs: list[dict[str, Raw]]
    steps: list[Step] = []
    """Edition 2: the order for programs. A `LocalSession` that takes these steps has these runs."""


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
    timed: TaskOrders | None = None
    """Edition 2, if time can make a difference: the orders of the same events and the timers that they set. The other
    fields are about orders in which all events come before the first timer is due."""
    cut: list[str] = []
    """Edition 2: what was not explored."""

    @property
    def has_run(self) -> bool:
        """True if the task runs in one of the orders, with time or without."""
        return any(outcome.runs for outcome in self.outcomes) or (self.timed is not None and self.timed.has_run)

    @property
    def sensitive(self) -> bool:
        """True if the order decides how often the task runs, or with which kwargs."""
        return self.witnesses is not None


def explore_orders(
    plan: Plan,
    task: Rule,
    events: Mapping[FiredMove, int],
    results: Results,
    budget: Budget,
    *,
    cut: Sequence[str] = (),
) -> TaskOrders:
    """Explores what the task does in different orders of the events. Raises EndlessCascade.

    `cut` says what the events cannot show, in edition 2.
    """
    used = relevant_names(plan, task)
    kinds = sorted((kind, count) for kind, count in events.items() if kind.trigger in used)
    members = {name: directives for name, directives in split_members(plan.text).items() if name in used}
    if plan.edition_2 is not None:
        members = {name: _without_arguments(name, directives) for name, directives in members.items()}
        return explore_edition_2(compile_plan(join_object(members)), task.name, kinds, results, budget, cut=cut)
    rules = join_object(members)
    exploration = _explored(Worlds(rules, kinds, results), task.name, budget)
    return summarize(task.name, kinds, exploration, count_orders(kinds, results))


def explore_edition_2(
    plan: Plan,
    task: str,
    kinds: Sequence[tuple[FiredMove, int]],
    results: Results,
    budget: Budget,
    *,
    cut: Sequence[str],
) -> TaskOrders:
    """Explores a task of edition 2: first orders of events alone, then, if there are any, of events and timers.

    A task that runs in none of them is looked at again, with other tasks that may fail, unless something was cut.
    """
    budget = Budget(budget.worlds // _WEIGHT, budget.walks // _WEIGHT)
    prompt = Edition2Worlds(plan, kinds, results, Pace.NONE)
    report = structs.replace(_report(prompt, task, kinds, budget), cut=list(cut))
    if prompt.has_time:
        report = structs.replace(
            report, timed=_report(Edition2Worlds(plan, kinds, results, Pace.ANY), task, kinds, budget)
        )
    if report.has_run or cut:
        return report
    failing = Edition2Worlds(plan, kinds, results, Pace.ANY, plan.tasks.keys() - {task})
    return structs.replace(report, timed=_report(failing, task, kinds, budget))


def _without_arguments(name: str, directives: bytes) -> bytes:
    """Leaves out `with`, which events that are made up might not suit, and which decides nothing."""
    if name.startswith("$"):
        return directives
    return join_object({key: value for key, value in split_members(directives).items() if key != "with"})


def _report(worlds: Edition2Worlds, task: str, kinds: Sequence[tuple[FiredMove, int]], budget: Budget) -> TaskOrders:
    report = summarize(task, kinds, _explored(worlds, task, budget), None, worlds)
    return structs.replace(report, cut=[f"more than {MAX_WAITS} moments for one event"]) if worlds.was_cut else report


def _explored(worlds: WorldGraph, task: str, budget: Budget) -> Exploration:
    def outcome(world: World) -> tuple[object, ...]:
        return tuple(instance.kwargs for instance in world.instances if instance.task == task and instance.has_run)

    return AllOrders(worlds, outcome).explore(budget.worlds) or SampledOrders(worlds, outcome).explore(budget.walks)


def relevant_names(plan: Plan, task: Rule) -> set[str]:
    """Returns the names of the task and its triggers and, if these are tasks, of their triggers, and so on.

    In edition 2 an outcome trigger leads to its task, and the trigger at the end of a session to every task.
    """
    names = {LIMITS_NAME}
    finalize = None if plan.edition_2 is None else plan.edition_2.finalize
    ahead = [task.name]
    while ahead:
        name = ahead.pop()
        if name in names:
            continue
        names.add(name)
        rule = plan.tasks.get(name)
        if rule is not None:
            ahead += (*rule.after, *rule.unless, *_cancelling(rule))
        elif plan.edition_2 is not None and is_reserved(name):
            ahead.append(name.rpartition(":")[0])
        if name == finalize:
            names.add(SESSION)
            ahead += plan.tasks
    return names if plan.edition_2 is None else {*names, EDITION}


def _cancelling(rule: Rule) -> tuple[str, ...]:
    cancel_on = None if rule.edition_2 is None else rule.edition_2.cancel_on
    return () if cancel_on is None else tuple(leaf.trigger for leaf in cancel_on.leaves)


def summarize(
    task: str,
    kinds: Sequence[tuple[FiredMove, int]],
    exploration: Exploration,
    orders: int | None,
    worlds: Edition2Worlds | None = None,
) -> TaskOrders:
    """Returns the report of an exploration. `orders` is the number of all orders, if it is known beforehand."""
    ends = sorted(exploration.outcomes.values(), key=lambda reached: (-reached.orders, str(reached.example)))
    pair = exploration.witnesses if len(ends) > 1 else None
    witnesses = None if pair is None else (_witness(task, pair[0], worlds), _witness(task, pair[1], worlds))
    return TaskOrders(
        task=task,
        events={str(kind): count for kind, count in kinds},
        exhaustive=exploration.exhaustive,
        explored=exploration.orders,
        orders=exploration.orders if exploration.exhaustive else orders,
        worlds=exploration.worlds,
        outcomes=[_outcome(task, reached) for reached in ends],
        witnesses=witnesses,
        shortest=exploration.exhaustive,
    )


def count_orders(kinds: Sequence[tuple[FiredMove, int]], results: Results) -> int | None:
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
        expired=statuses.count("expired"),
        cancelled=statuses.count("cancelled"),
    )


def _witness(task: str, reached: Reached, worlds: Edition2Worlds | None) -> Witness:
    steps = [] if worlds is None else list(steps_of(worlds, reached.example))
    return Witness(order=[str(move) for move in reached.example], runs=_runs(task, reached.world), steps=steps)


def _runs(task: str, world: World) -> list[dict[str, Raw]]:
    runs = sorted(instance.kwargs for instance in world.instances if instance.task == task and instance.has_run)
    return [{trigger: Raw(kwargs) for trigger, kwargs in run} for run in runs]
