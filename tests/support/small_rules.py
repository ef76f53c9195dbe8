"""Small random rules, and what becomes of them when triggers fire and every task finishes at once."""

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
    """Tasks ran on and on."""


def triggers() -> st.SearchStrategy[str]:
    """A trigger of the application, or a task's name."""
    return st.sampled_from([*TRIGGERS, *TASKS])


def directives() -> st.SearchStrategy[dict[str, Any]]:
    """One task's."""
    return st.fixed_dictionaries(
        {"after": st.lists(triggers(), max_size=2, unique=True), "run": st.just("app.run")},
        optional={"andEvery": triggers(), "unless": st.lists(triggers(), max_size=2, unique=True)},
    )


def rules(most: int = 4) -> st.SearchStrategy[Rules]:
    """Up to so many tasks."""
    return st.dictionaries(st.sampled_from(TASKS), directives(), min_size=1, max_size=most)


def play(rules: Rules, order: Sequence[str]) -> MemorySession:
    """Fire the triggers one after the other; what each starts has finished before the next. Raises EndlessCascade.

    `a:1` fires `a` with kwargs.
    """
    session = MemorySession(rules)
    for event in order:
        started = [c for c in session.apply(fired(event)).commands if isinstance(c, RunTask)]
        runs = 0
        while started:
            runs += 1
            if runs > _MOST_RUNS:
                raise EndlessCascade
            done = TaskFinished(instance=started.pop(0).instance, attempt=1)
            started += [c for c in session.apply(done).commands if isinstance(c, RunTask)]
    return session


def fired(event: str) -> TriggerFired:
    """The event of a short text: `a`, or `a:1` for one with kwargs."""
    trigger, _, number = event.partition(":")
    return TriggerFired(trigger=trigger, kwargs=json.dumps({"n": int(number)} if number else {}).encode())


def statuses(session: MemorySession) -> dict[str, list[str]]:
    """Task -> the statuses of its instances, sorted."""
    found: dict[str, list[str]] = {}
    for instance in session.view().instances:
        found.setdefault(instance.task, []).append(instance.status)
    return {task: sorted(own) for task, own in found.items()}


def encoded(rules: Rules) -> bytes:
    """As a file of rules has them."""
    return json.dumps(rules, indent=1).encode()
