"""Checks rules, statically and by exploring the orders of their events."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress

from msgspec import Struct

from triggers.analysis.check.findings import Finding
from triggers.analysis.check.liveness import Supply
from triggers.analysis.check.name_lints import NameLints
from triggers.analysis.check.order_findings import order_findings
from triggers.analysis.check.orders import Budget, TaskOrders, explore_orders, usual_events
from triggers.analysis.check.task_lints import TaskLints
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

    findings: list[Finding]
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
    refused = [name for name in reading.names if name not in reading.tasks]
    lints = TaskLints(reading.tasks, reading.places, Supply(reading.tasks, declared, refused))
    names = NameLints(reading.names, reading.tasks, reading.places)
    findings = [*reading.findings, *names.find(declared), *lints.find()]
    orders: list[TaskOrders] = []
    if arrivals is not None and not reading.findings:
        orders = list(_explored(compile_plan(text), declared, arrivals, lints.live))
        for explored in orders:
            task = reading.tasks[explored.task]
            findings += order_findings(explored, task, reading.places, everything=arrivals.events is None)
    return Checked(findings=sorted(findings, key=lambda one: (one.place, one.rule, one.message)), orders=orders)


def _explored(
    plan: Plan, declared: Collection[str] | None, arrivals: Arrivals, live: Collection[str]
) -> Iterator[TaskOrders]:
    """Explores each task, except those that never run or never end: other findings report these."""
    events = usual_events(plan, declared) if arrivals.events is None else arrivals.events
    for task in plan.tasks.values():
        if task.name in live or arrivals.events is not None:
            with suppress(EndlessCascade):
                yield explore_orders(plan, task, events, arrivals.results, arrivals.budget)
