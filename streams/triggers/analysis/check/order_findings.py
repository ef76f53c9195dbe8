"""What the exploration of arrival orders found, as findings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from triggers.analysis.check.findings import Finding, finding
from triggers.analysis.check.orders import TaskOrders, Witness
from triggers.analysis.check.places import Places
from triggers.core.plan import TaskConfig

_SHOWN = 3
"""Outcomes that a message tells; all are in the report."""


def order_findings(found: TaskOrders, task: TaskConfig, places: Places, *, everything: bool) -> Iterator[Finding]:
    """`everything`: all that the application fires was among the events."""
    if found.sensitive:
        directive = "unless" if task.unless else None
        place = places.of(task.name, directive)
        yield finding(
            "order-sensitive",
            place,
            _message(found, task),
            _fix(task),
            task=task.name,
            directive=directive,
            details=_details(found),
        )
    elif everything and found.exhaustive and not any(outcome.runs for outcome in found.outcomes):
        message = f"{task.name} runs in none of the {found.explored:,} orders in which its triggers can fire"
        fix = "look at what abandons it, or the tasks it waits for"
        yield finding("never-runs", places.of(task.name), message, fix, task=task.name)


def explored_words(orders: Sequence[TaskOrders]) -> str:
    """How much of the orders was looked at, and for which tasks it was a sample."""
    sampled = [found for found in orders if not found.exhaustive]
    whole = len(orders) - len(sampled)
    parts = [f"every order of arrival explored for {whole} of {len(orders)} tasks"] if whole else []
    return "; ".join([*parts, *(_share(found) for found in sampled)])


def _share(found: TaskOrders) -> str:
    share = "" if found.orders is None else f" of {found.orders:,} ({found.explored / found.orders:.2g} of all)"
    return f"a sample for {found.task}: {found.explored:,} orders{share}"


def _message(found: TaskOrders, task: TaskConfig) -> str:
    runs: Counter[int] = Counter()
    for outcome in found.outcomes:
        runs[len(outcome.runs)] += outcome.orders
    if len(runs) == 1:
        return f"{task.name} runs {times(*runs)} in every order{_tried(found)}, with different kwargs"
    if task.unless and task.unless_set <= found.events.keys():
        names = " and ".join(map(repr, task.unless))
        run = found.explored - runs[0]
        verb = "fires" if len(task.unless) == 1 else "fire"
        return f"{task.name} runs in {run:,} of {_orders(found)} although {names} {verb}"
    counts = [f"{times(number)} in {orders:,}" for number, orders in runs.most_common(_SHOWN)]
    return f"of {_orders(found)}, {task.name} runs {', '.join(counts)}"


def _orders(found: TaskOrders) -> str:
    return f"{found.explored:,} orders{_tried(found)}"


def _tried(found: TaskOrders) -> str:
    """Nothing if every order was explored, else how many there are."""
    if found.exhaustive:
        return ""
    return " that were tried" if found.orders is None else f" that were tried, of {found.orders:,}"


def times(number: int) -> str:
    """How often, in words."""
    return {0: "not at all", 1: "once", 2: "twice"}.get(number, f"{number} times")


def _details(found: TaskOrders) -> tuple[str, ...]:
    events = (name if count == 1 else f"{count} x {name}" for name, count in found.events.items())
    return (f"events: {', '.join(events)}", *map(_told, found.witnesses or ()))


def _told(witness: Witness) -> str:
    how = "it does not run" if not witness.runs else f"it runs {times(len(witness.runs))}"
    return f"{' → '.join(witness.order)}: {how}"


def _fix(task: TaskConfig) -> str:
    if task.unless:
        first = " and ".join(map(repr, task.unless))
        return f"fire {first} before what the task waits for, or add to `after` a trigger that says it is decided"
    return "fire these triggers in one order, or let the task wait for one that comes last"
