"""Whether what runs depends on the order in which events arrive, task by task.

What a task does depends only on the triggers it uses and, if they are tasks, on what those use. So each task is
explored with these rules and events alone; the others change nothing, and as many orders of all events belong to each
order of these.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from math import factorial, prod
from typing import Final

from msgspec import Raw, Struct

from triggers.analysis.check.exploration import All, Exploration, Reached, Sample
from triggers.analysis.check.worlds import Fired, Results, World, Worlds, runs_with
from triggers.core.kwargs import members_of, object_of
from triggers.core.limits import LIMITS_NAME
from triggers.core.plan import Plan, TaskConfig
from triggers.core.statuses import Status

MOST_WORLDS: Final = 20_000
WALKS: Final = 2_000


class Budget(Struct, frozen=True):
    """How far to go for each task."""

    worlds: int = MOST_WORLDS
    """More than so many, and orders are sampled."""
    walks: int = WALKS
    """Orders of a sample."""


class OrderOutcome(Struct, frozen=True, kw_only=True):
    """What becomes of a task in some of the orders."""

    runs: list[dict[str, Raw]]
    """Kwargs of each run, without `withParams`."""
    abandoned: int
    waiting: int
    """Instances that are neither."""
    orders: int
    example: list[str]
    """One of the orders."""


class Witness(Struct, frozen=True, kw_only=True):
    """One of two orders of the same events."""

    order: list[str]
    runs: list[dict[str, Raw]]


class TaskOrders(Struct, frozen=True, kw_only=True):
    """What becomes of a task in different orders of the events that matter to it."""

    task: str
    events: dict[str, int]
    """Each event that matters, with how often it comes."""
    exhaustive: bool
    """Whether every order was explored; else a sample was."""
    explored: int
    """How many orders that is."""
    orders: int | None
    """How many there are; None: not known."""
    worlds: int
    """Different states of the session that were met."""
    outcomes: list[OrderOutcome]
    """The most frequent one first."""
    witnesses: tuple[Witness, Witness] | None
    """Two orders of the same events after which the task has run differently."""
    shortest: bool
    """Whether no fewer events make a difference; else no event can be left out of the witnesses."""

    @property
    def sensitive(self) -> bool:
        """Whether the order decides how often the task runs, or with what."""
        return len(self.outcomes) > 1


def usual_events(plan: Plan, declared: Collection[str] | None = None) -> Counter[Fired]:
    """Every trigger of the application that a rule uses, once; what some task runs for every time, twice."""
    every = {task.and_every for task in plan.tasks.values()}
    fired = [t for t in plan.by_trigger if (t not in plan.tasks if declared is None else t in declared)]
    return Counter({Fired(trigger): 2 if trigger in every else 1 for trigger in fired})


def explore_orders(
    plan: Plan, task: TaskConfig, events: Mapping[Fired, int], results: Results, budget: Budget
) -> TaskOrders:
    """What becomes of the task. Raises EndlessCascade."""
    used = _matters(plan, task)
    kinds = sorted((kind, count) for kind, count in events.items() if kind.trigger in used)
    rules = object_of({name: own for name, own in members_of(plan.text).items() if name in used})
    worlds = Worlds(rules, kinds, results)

    def outcome(world: World) -> tuple[object, ...]:
        return tuple(sorted(runs_with(i) for i in world.instances if _ran(task.name, i.task, i.status)))

    found = All(worlds, outcome).explore(budget.worlds) or Sample(worlds, outcome).explore(budget.walks)
    return _report(task.name, kinds, found, results)


def _matters(plan: Plan, task: TaskConfig) -> set[str]:
    """The task, its triggers, and if they are tasks theirs."""
    found = {LIMITS_NAME}
    ahead = [task.name]
    while ahead:
        name = ahead.pop()
        if name not in found:
            found.add(name)
            own = plan.tasks.get(name)
            ahead += (*own.after, *own.unless) if own else ()
    return found


def _report(task: str, kinds: Sequence[tuple[Fired, int]], found: Exploration, results: Results) -> TaskOrders:
    ends = sorted(found.outcomes.values(), key=lambda reached: (-reached.orders, str(reached.example)))
    witnesses = found.witnesses if len(ends) > 1 else None
    return TaskOrders(
        task=task,
        events={str(kind): count for kind, count in kinds},
        exhaustive=found.exhaustive,
        explored=found.orders,
        orders=found.orders if found.exhaustive else _permutations(kinds, results),
        worlds=found.worlds,
        outcomes=[_outcome(task, reached) for reached in ends],
        witnesses=None if witnesses is None else (_witness(task, witnesses[0]), _witness(task, witnesses[1])),
        shortest=found.exhaustive,
    )


def _permutations(kinds: Sequence[tuple[Fired, int]], results: Results) -> int | None:
    """How many orders there are. Results that come at any time make more, which only walking them all could count."""
    counts = [count for _, count in kinds]
    return factorial(sum(counts)) // prod(map(factorial, counts)) if results is Results.AT_ONCE else None


def _outcome(task: str, reached: Reached) -> OrderOutcome:
    own = [instance.status for instance in reached.world.instances if instance.task == task]
    return OrderOutcome(
        runs=_runs(task, reached.world),
        abandoned=own.count(Status.ABANDONED),
        waiting=own.count(Status.UNSTARTED),
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
