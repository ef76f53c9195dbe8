"""Small random rules, and a way to play them in which every task finishes at once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st
from tests.support.memory_session import MemorySession

from triggers.core.commands import RunTask
from triggers.core.events import TaskFinished, TriggerFired

Rules = dict[str, dict[str, Any]]

TRIGGERS = ["a", "b", "c", "d"]
TASKS = ["t_0", "t_1", "t_2", "t_3"]
_MOST_RUNS = 60


class EndlessCascade(Exception):
    """Raised when tasks start each other without end."""


def triggers() -> st.SearchStrategy[str]:
    """Strategy for a trigger of the application or the name of a task."""
    return st.sampled_from([*TRIGGERS, *TASKS])


def directives() -> st.SearchStrategy[dict[str, Any]]:
    """Strategy for the directives of one task."""
    return st.fixed_dictionaries(
        {"after": st.lists(triggers(), max_size=2, unique=True), "run": st.just("app.run")},
        optional={"andEvery": triggers(), "unless": st.lists(triggers(), max_size=2, unique=True)},
    )


def rules(maximum: int = 4) -> st.SearchStrategy[Rules]:
    """Strategy for the rules of up to `maximum` tasks."""
    return st.dictionaries(st.sampled_from(TASKS), directives(), min_size=1, max_size=maximum)


def play_triggers(rules: Rules, order: Sequence[str]) -> MemorySession:
    """Fires the triggers one after the other. What each starts finishes before the next. Raises EndlessCascade.

    `a:1` fires `a` with kwargs `{"n": 1}`.
    """
    session = MemorySession(rules)
    for event in order:
        started = [c for c in session.apply(parse_trigger(event)).commands if isinstance(c, RunTask)]
        runs = 0
        while started:
            runs += 1
            if runs > _MOST_RUNS:
                raise EndlessCascade
            done = TaskFinished(instance=started.pop(0).instance, attempt=1)
            started += [c for c in session.apply(done).commands if isinstance(c, RunTask)]
    return session


def parse_trigger(event: str) -> TriggerFired:
    """Parses the short text of an event: `a`, or `a:1` for one with kwargs."""
    trigger, _, number = event.partition(":")
    return TriggerFired(trigger=trigger, kwargs=json.dumps({"n": int(number)} if number else {}).encode())


def statuses_by_task(session: MemorySession) -> dict[str, list[str]]:
    """Returns the sorted statuses of the instances of each task."""
    by_task: dict[str, list[str]] = {}
    for instance in session.view().instances:
        by_task.setdefault(instance.task, []).append(instance.status)
    return {task: sorted(values) for task, values in by_task.items()}


def encode_rules(rules: Rules) -> bytes:
    """Encodes rules as a file of rules does."""
    return json.dumps(rules, indent=1).encode()
