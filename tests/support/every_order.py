"""Every order in which events can arrive, played out one by one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import permutations
from typing import Any

from tests.support.memory_session import MemorySession
from tests.support.small_rules import Rules, encoded, fired, play

from triggers.analysis.check.orders import Budget, TaskOrders, explore_orders
from triggers.analysis.check.worlds import Fired, Results
from triggers.core.config import compile_plan
from triggers.core.events import Event, TaskFinished
from triggers.core.rows import MemoryRows

MOST_STEPS = 2_000
Runs = tuple[str, ...]
"""The kwargs of each run of a task, sorted."""


def explore(
    configuration: Rules,
    task: str,
    events: Mapping[str, int] | Mapping[Fired, int],
    results: Results = Results.AT_ONCE,
    budget: Budget = Budget(),  # noqa: B008  # frozen
) -> TaskOrders:
    """What the exploration finds of the task."""
    plan = compile_plan(encoded(configuration))
    return explore_orders(plan, plan.tasks[task], _events(events), results, budget)


def _events(events: Mapping[str, int] | Mapping[Fired, int]) -> dict[Fired, int]:
    return {as_fired(event) if isinstance(event, str) else event: count for event, count in events.items()}


def as_fired(event: str) -> Fired:
    """The event of a short text, as the exploration takes it."""
    return Fired(fired(event).trigger, fired(event).kwargs)


def task(*after: str, **other: object) -> dict[str, Any]:
    """Directives."""
    return {"after": list(after), "run": "app.run"} | other


def orders_of(events: Sequence[str]) -> list[tuple[str, ...]]:
    """Every different order."""
    return sorted(set(permutations(events)))


def runs_after(configuration: Rules, task: str, order: Sequence[str]) -> Runs:
    """How the task has run after these events."""
    return ran_with(play(configuration, order), task)


def ran_with(session: MemorySession, task: str) -> Runs:
    """How the task has run."""
    shown = session.view().instances
    return tuple(sorted(_text(i.kwargs) for i in shown if i.task == task and i.status == "finished"))


def key_of(runs: list[dict[str, Any]]) -> Runs:
    """The same of a report."""
    return tuple(sorted(_text(run) for run in runs))


def _text(kwargs: Mapping[str, Any]) -> str:
    return json.dumps({trigger: bytes(value).decode() for trigger, value in kwargs.items()}, sort_keys=True)


def shares(counts: Mapping[Runs, int]) -> dict[Runs, Fraction]:
    """Outcome -> which part of all."""
    return {runs: Fraction(count, sum(counts.values())) for runs, count in counts.items()}


def smaller(order: Sequence[str]) -> Iterator[list[str]]:
    """The events without one of them, each once."""
    for at in range(len(order)):
        yield [*order[:at], *order[at + 1 :]]


def differ(configuration: Rules, task: str, events: list[str]) -> bool:
    """Whether the order of these events matters."""
    return len({runs_after(configuration, task, order) for order in orders_of(events)}) > 1


class TooMany(Exception):
    """More interleavings than a test has time for."""


def interleavings(configuration: Rules, events: Sequence[str], task: str) -> set[Runs]:
    """What the task has run with at the end of every way in which events and results can follow each other."""
    ends: set[Runs] = set()
    ahead: list[tuple[MemorySession, tuple[str, ...]]] = [(MemorySession(configuration), tuple(events))]
    for _ in range(MOST_STEPS):
        if not ahead:
            return ends
        session, left = ahead.pop()
        busy = [name for name, status in session.statuses().items() if status == "scheduled"]
        for trigger in set(left):
            rest = list(left)
            rest.remove(trigger)
            ahead.append((_then(session, fired(trigger)), tuple(rest)))
        ahead += [(_then(session, TaskFinished(instance=name)), left) for name in busy]
        if not left and not busy:
            ends.add(ran_with(session, task))
    raise TooMany


def _then(session: MemorySession, event: Event) -> MemorySession:
    copy = MemorySession(uid=session.uid)
    copy.rows = MemoryRows(session.rows)
    copy.apply(event)
    return copy
