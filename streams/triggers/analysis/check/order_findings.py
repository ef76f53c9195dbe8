"""Turns the results of exploring arrival orders into findings and text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from triggers.analysis.check.findings import CheckFinding, finding
from triggers.analysis.check.locations import Locations
from triggers.analysis.check.orders import TaskOrders, Witness
from triggers.core.conditions.tree import Kind
from triggers.core.plan import Rule

_MAX_SHOWN = 3
"""The number of outcomes in a message; the report has all of them."""


def order_findings(result: TaskOrders, task: Rule, locations: Locations, *, everything: bool) -> Iterator[CheckFinding]:
    """Yields the findings of a task. `everything` says that the events were all triggers that the application fires."""
    directive = "unless" if task.unless else None
    if result.sensitive and not _is_meant(result, task):
        yield finding(
            "order-sensitive",
            locations.find(task.name, directive),
            _message(result, task),
            _fix(task),
            task=task.name,
            directive=directive,
            details=_details(result),
        )
    elif result.timed is not None and result.timed.sensitive and not _is_meant(result.timed, task):
        yield _time_finding(result.timed, task, locations)
    elif everything and _is_exhaustive(result) and not result.has_run:
        orders = (result.timed or result).explored
        message = f"{task.name} runs in none of the {orders:,} orders in which its triggers can fire"
        fix = "check which triggers abandon it, and the tasks that it waits for"
        yield finding("never-runs", locations.find(task.name), message, fix, task=task.name)


def _is_meant(result: TaskOrders, task: Rule) -> bool:
    """Returns whether the rule itself says that the order matters.

    A `sequence` asks for an order. And a task with alternatives, or a list, has the kwargs of what came, as it came.
    """
    if task.edition_2 is None:
        return False
    conditions = task.edition_2.conditions
    has_choice = any(inner.kind in {Kind.ANY, Kind.AT_LEAST} for inner in conditions.combinators)
    has_list = any(leaf.passes_list for leaf in conditions.root.leaves())
    runs_equally = len({len(outcome.runs) for outcome in result.outcomes}) == 1
    return conditions.sequences or (runs_equally and (has_choice or has_list))


def _is_exhaustive(result: TaskOrders) -> bool:
    return result.exhaustive and (result.timed is None or (result.timed.exhaustive and not result.timed.cut))


def _time_finding(timed: TaskOrders, task: Rule, locations: Locations) -> CheckFinding:
    directive = next((name for name in _TIMES if _has(task, name)), None)
    message = f"{_message(timed, task)}: what comes first, an event or a timer, decides"
    fix = "nothing, if this is what the rule is for; the two orders are a test of it"
    location = locations.find(task.name, directive)
    return finding(
        "time-sensitive", location, message, fix, task=task.name, directive=directive, details=_details(timed)
    )


_TIMES = ("delay", "deadline", "within")


def _has(task: Rule, directive: str) -> bool:
    return task.edition_2 is not None and directive in task.extra


def explored_words(orders: Sequence[TaskOrders]) -> str:
    """Says for how many tasks every order was explored, and how large the samples of the others are."""
    sampled = [result for result in orders if not result.exhaustive]
    whole = len(orders) - len(sampled)
    parts = [f"explored every order of arrival for {whole} of {len(orders)} tasks"] if whole else []
    timed = [result.timed for result in orders if result.timed is not None]
    if timed:
        complete = sum(result.exhaustive and not result.cut for result in timed)
        parts.append(f"with timers, for {complete} of {len(timed)}")
    sampled += [result for result in timed if not result.exhaustive]
    cut = [f"not explored for {result.task}: {', '.join(result.cut)}" for result in (*orders, *timed) if result.cut]
    return "; ".join([*parts, *(_share(result) for result in sampled), *cut])


def _share(result: TaskOrders) -> str:
    share = "" if result.orders is None else f" of {result.orders:,} ({result.explored / result.orders:.2g} of all)"
    return f"sampled orders for {result.task}: {result.explored:,}{share}"


def _message(result: TaskOrders, task: Rule) -> str:
    runs: Counter[int] = Counter()
    for outcome in result.outcomes:
        runs[len(outcome.runs)] += outcome.orders
    if len(runs) == 1:
        return f"{task.name} runs {times(*runs)} in every order{_describe_orders(result)}, with different kwargs"
    if task.unless and task.unless_set <= result.events.keys():
        names = " and ".join(map(repr, task.unless))
        run = result.explored - runs[0]
        verb = "fires" if len(task.unless) == 1 else "fire"
        return f"{task.name} runs in {run:,} of {_orders(result)} although {names} {verb}"
    counts = [f"{times(number)} in {orders:,}" for number, orders in runs.most_common(_MAX_SHOWN)]
    return f"of {_orders(result)}, {task.name} runs {', '.join(counts)}"


def _orders(result: TaskOrders) -> str:
    return f"{result.explored:,} orders{_describe_orders(result)}"


def _describe_orders(result: TaskOrders) -> str:
    """Says that the orders are a sample, and of how many; empty if every order was explored."""
    if result.exhaustive:
        return ""
    return " sampled" if result.orders is None else f" sampled out of {result.orders:,}"


def times(number: int) -> str:
    """Returns a number of times in words."""
    return {0: "not at all", 1: "once", 2: "twice"}.get(number, f"{number} times")


def _details(result: TaskOrders) -> tuple[str, ...]:
    events = (name if count == 1 else f"{count} x {name}" for name, count in result.events.items())
    return (f"events: {', '.join(events)}", *map(_describe_witness, result.witnesses or ()))


def _describe_witness(witness: Witness) -> str:
    how = "it does not run" if not witness.runs else f"it runs {times(len(witness.runs))}"
    return f"{' → '.join(witness.order)}: {how}"


def _fix(task: Rule) -> str:
    if task.unless:
        first = " and ".join(map(repr, task.unless))
        return f"fire {first} before the task's last trigger, or add to `after` a trigger that you fire after {first}"
    return "always fire these triggers in the same order, or let the task wait for one that always comes last"
