"""Plays out, one by one, every order in which events can arrive."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import permutations
from typing import Any

from tests.support.memory_session import MemorySession
from tests.support.small_rules import Rules, encode_rules, parse_trigger, play_triggers

from triggers.analysis.check.orders import Budget, TaskOrders, explore_orders
from triggers.analysis.check.worlds import FiredMove, Results
from triggers.core.config import compile_plan
from triggers.core.events import Event, TaskFinished
from triggers.core.state.rows import MemoryRows

MOST_STEPS = 2_000
Runs = tuple[str, ...]
"""The kwargs with which each run of a task was started, sorted."""


def explore(
    configuration: Rules,
    task: str,
    events: Mapping[str, int] | Mapping[FiredMove, int],
    results: Results = Results.AT_ONCE,
    budget: Budget = Budget(),  # noqa: B008  # frozen
) -> TaskOrders:
    """Explores the orders of these events and returns the report for one task."""
    plan = compile_plan(encode_rules(configuration))
    return explore_orders(plan, plan.tasks[task], _events(events), results, budget)


def _events(events: Mapping[str, int] | Mapping[FiredMove, int]) -> dict[FiredMove, int]:
    return {parse_move(event) if isinstance(event, str) else event: count for event, count in events.items()}


def parse_move(event: str) -> FiredMove:
    """Parses the short text of an event into the exploration's type."""
    return FiredMove(parse_trigger(event).trigger, parse_trigger(event).kwargs)


def make_task(*after: str, **other: object) -> dict[str, Any]:
    """Returns the directives of a task."""
    return {"after": list(after), "run": "app.run"} | other


def orders_of(events: Sequence[str]) -> list[tuple[str, ...]]:
    """Returns every distinct order."""
    return sorted(set(permutations(events)))


def runs_after(configuration: Rules, task: str, order: Sequence[str]) -> Runs:
    """Returns the runs of the task after these events."""
    return runs_of(play_triggers(configuration, order), task)


def runs_of(session: MemorySession, task: str) -> Runs:
    """Returns the runs of the task in this session."""
    shown = session.view().instances
    return tuple(sorted(_text(i.kwargs) for i in shown if i.task == task and i.status == "finished"))


def runs_in_report(runs: list[dict[str, Any]]) -> Runs:
    """Converts the runs of a report, so that they compare equal to those of a session."""
    return tuple(sorted(_text(run) for run in runs))


def _text(kwargs: Mapping[str, Any]) -> str:
    return json.dumps({trigger: bytes(value).decode() for trigger, value in kwargs.items()}, sort_keys=True)


def shares(counts: Mapping[Runs, int]) -> dict[Runs, Fraction]:
    """Returns the share of each outcome in all."""
    return {runs: Fraction(count, sum(counts.values())) for runs, count in counts.items()}


def without_each(order: Sequence[str]) -> Iterator[list[str]]:
    """Yields the order with each one of its events left out."""
    for at in range(len(order)):
        yield [*order[:at], *order[at + 1 :]]


def order_matters(configuration: Rules, task: str, events: list[str]) -> bool:
    """Returns whether the task's runs depend on the order of these events."""
    return len({runs_after(configuration, task, order) for order in orders_of(events)}) > 1


class TooMany(Exception):
    """Raised when there are more interleavings than a test has time for."""


def interleavings(configuration: Rules, events: Sequence[str], task: str) -> set[Runs]:
    """Returns the task's runs at the end of every interleaving of events and results. Raises TooMany."""
    ends: set[Runs] = set()
    unfinished: list[tuple[MemorySession, tuple[str, ...]]] = [(MemorySession(configuration), tuple(events))]
    for _ in range(MOST_STEPS):
        if not unfinished:
            return ends
        session, remaining = unfinished.pop()
        scheduled = [name for name, status in session.statuses().items() if status == "scheduled"]
        for trigger in set(remaining):
            rest = list(remaining)
            rest.remove(trigger)
            unfinished.append((_then(session, parse_trigger(trigger)), tuple(rest)))
        unfinished += [(_then(session, TaskFinished(instance=name)), remaining) for name in scheduled]
        if not remaining and not scheduled:
            ends.add(runs_of(session, task))
    raise TooMany


def _then(session: MemorySession, event: Event) -> MemorySession:
    copy = MemorySession(uid=session.uid)
    copy.rows = MemoryRows(session.rows)
    copy.apply(event)
    return copy
