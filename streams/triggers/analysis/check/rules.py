"""Checks rules, statically and by exploring the orders of their events."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress

from msgspec import Struct

from triggers.analysis.check.condition_lints import ConditionLints, impossible_leaves
from triggers.analysis.check.findings import CheckFinding
from triggers.analysis.check.forward_lints import forward_findings
from triggers.analysis.check.liveness import Supply
from triggers.analysis.check.name_lints import NameLints
from triggers.analysis.check.order_findings import order_findings
from triggers.analysis.check.orders import Budget, TaskOrders, explore_orders
from triggers.analysis.check.task_lints import TaskLints
from triggers.analysis.check.time_lints import TimeLints
from triggers.analysis.check.usual_events import UsualEvents, usual_events
from triggers.analysis.check.validity import Reading
from triggers.analysis.check.worlds import EndlessCascade, FiredMove, Results
from triggers.core.config import compile_plan
from triggers.core.plan import Plan


class Arrivals(Struct, frozen=True, kw_only=True):
    """The assumptions about the events whose orders are explored."""

    events: Mapping[FiredMove, int] | None = None
    """How often each event comes; None means `usual_events`."""
    results: Results = Results.AT_ONCE
    budget: Budget = Budget()


class Checked(Struct, frozen=True, kw_only=True):
    """The result of checking a file of rules."""

    findings: list[CheckFinding]
    """Sorted by their location in the file."""
    orders: list[TaskOrders]
    """The outcomes of each task in different orders of arrival; empty if orders were not explored."""


def check_rules(text: bytes, declared: Collection[str] | None = None, arrivals: Arrivals | None = None) -> Checked:
    """Checks a file of rules. `declared` are all triggers that the application fires, or None if unknown.

    Everything that the engine refuses is a finding with severity error: without one, `update_configuration` accepts
    the rules. The other checks leave refused tasks out. Orders are explored only if `arrivals` is given and nothing is
    refused.
    """
    reading = Reading(text)
    supply = _Supplies(reading, declared)
    lints = TaskLints(reading.tasks, reading.locations, supply.whole)
    names = NameLints(reading.names, reading.tasks, reading.locations, reading.edition_2)
    findings = [*reading.findings, *names.find(declared), *lints.find(), *_of_edition_2(reading, supply)]
    orders: list[TaskOrders] = []
    if arrivals is not None and not reading.findings:
        plan = compile_plan(text)
        usual = usual_events(plan, supply.whole) if arrivals.events is None else None
        orders = list(_explored(plan, usual, arrivals, lints.live))
        for explored in orders:
            task = reading.tasks[explored.task]
            everything = usual is not None and not explored.cut
            findings += order_findings(explored, task, reading.locations, everything=everything)
    return Checked(findings=sorted(findings, key=lambda one: (one.location, one.rule, one.message)), orders=orders)


class _Supplies:
    """The supply of triggers, twice: `first` finds the leaves that can never be true, and `whole` accounts for them."""

    def __init__(self, reading: Reading, declared: Collection[str] | None) -> None:
        refused = [name for name in reading.names if name not in reading.tasks]
        finalize = None if reading.edition_2 is None else reading.edition_2.finalize
        first = Supply(reading.tasks, declared, refused, finalize)
        self.rules = {name: task.edition_2 for name, task in reading.tasks.items() if task.edition_2 is not None}
        self.impossible = impossible_leaves(self.rules, first)
        self.whole = Supply(reading.tasks, declared, refused, finalize, self.impossible)


def _of_edition_2(reading: Reading, supply: _Supplies) -> Iterator[CheckFinding]:
    conditions = ConditionLints(reading.locations, supply.impossible, supply.whole)
    times = TimeLints(supply.rules, reading.locations, supply.whole)
    for task in supply.rules.values():
        yield from conditions.find(task)
        yield from times.find(task)
    if reading.edition_2 is not None:
        yield from forward_findings(reading.edition_2, reading.locations, supply.whole)


def _explored(plan: Plan, usual: UsualEvents | None, arrivals: Arrivals, live: Collection[str]) -> Iterator[TaskOrders]:
    """Explores each task, except those that never run or never end: other findings report these."""
    events = usual.events if usual is not None else arrivals.events or {}
    for task in plan.tasks.values():
        if task.name in live or arrivals.events is not None:
            with suppress(EndlessCascade):
                cut = [] if usual is None else usual.cut_for(plan, task)
                yield explore_orders(plan, task, events, arrivals.results, arrivals.budget, cut=cut)
