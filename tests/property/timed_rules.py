"""Small random rules of edition 2, and a way to play steps in a `LocalSession`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hypothesis import strategies as st

from triggers.analysis.check.steps import Step
from triggers.core.commands import RunTask
from triggers.core.config import validate_configuration
from triggers.core.events import Event, TaskFailed, TaskFinished, TaskStarted, TaskStatusChanged
from triggers.core.kwargs import split_members
from triggers.errors import InvalidConfiguration
from triggers.testing import NEVER_STARTS, LocalSession

Json = dict[str, Any]
TRIGGERS = ("a", "b", "c")
TASKS = ("t_0", "t_1", "t_2")
NAMES = (
    *TRIGGERS,
    *TRIGGERS,
    *TRIGGERS,
    *TRIGGERS,
    *TASKS,
    "t_0:expired",
    "t_1:abandoned",
    "t_2:cancelled",
    "t_0:failed",
)
DURATIONS = ("1s", "5s", "7s", "20s")
TIMEOUTS: tuple[Json, ...] = (
    {"running": "7s", "attempts": 1},
    {"scheduled": "5s", "attempts": 2},
    {"scheduled": "1s", "running": "5s"},
)


def conditions() -> st.SearchStrategy[Any]:
    """Strategy for `after` and `unless`."""
    names = st.sampled_from(NAMES)
    several = st.lists(names, min_size=1, max_size=2, unique=True)
    return st.one_of(
        several,
        several,
        st.builds(lambda names: {"any": names}, several),
        st.builds(lambda names, within: {"all": names, "within": within}, several, st.sampled_from(DURATIONS)),
        st.builds(lambda names: {"sequence": names}, several),
        st.builds(lambda name: [{"trigger": name, "count": 2}], names),
    )


def directives() -> st.SearchStrategy[Json]:
    """Strategy for one task."""
    durations = st.sampled_from(DURATIONS)
    delays = st.one_of(
        durations,
        st.builds(lambda wait: {"for": wait, "restart": True, "atMost": "20s"}, st.sampled_from(DURATIONS[:3])),
    )
    deadlines = st.one_of(durations, st.builds(lambda wait: {"in": wait, "then": "run"}, durations))
    return st.fixed_dictionaries(
        {"after": conditions(), "run": st.just("app.run")},
        optional={
            "andEvery": st.sampled_from(TRIGGERS),
            "unless": conditions(),
            "delay": delays,
            "deadline": deadlines,
            "cancelOn": st.lists(st.sampled_from(TRIGGERS), min_size=1, max_size=1),
            "retry": st.just({"attempts": 2, "wait": "3s"}),
            "timeouts": st.sampled_from(
                [
                    {"running": "7s", "attempts": 1},
                    {"scheduled": "5s", "attempts": 2},
                    {"scheduled": "1s", "running": "5s"},
                ]
            ),
        },
    )


def timed_rules() -> st.SearchStrategy[Json]:
    """Strategy for rules that the engine accepts."""
    found = st.dictionaries(st.sampled_from(TASKS), directives(), min_size=1, max_size=3)
    limits = st.sampled_from([{}, {}, {"$limits": {"sessionTtl": "6s"}}, {"$limits": {"sessionTtl": "1h"}}])
    return st.builds(lambda rules, limits: {"$edition": 2} | limits | rules, found, limits).filter(is_accepted)


def is_accepted(rules: Json) -> bool:
    try:
        validate_configuration(encoded(rules))
    except InvalidConfiguration:
        return False
    return True


def encoded(rules: Json) -> bytes:
    return json.dumps(rules).encode()


def played(rules: Json, steps: Iterable[Step], waiting: Iterable[str] = ()) -> LocalSession:
    """Takes the steps. The results of tasks in `waiting` are steps, too; others finish at once.

    A session that was deleted is not begun again.
    """
    session = LocalSession(rules, dict.fromkeys(waiting, NEVER_STARTS))
    for step in steps:
        if step.wait:
            session.advance(f"{step.wait}ms")
        if not session.storage.tasks:
            break
        if step.fire is not None:
            kwargs: Mapping[str, object] = json.loads(bytes(step.kwargs)) if step.kwargs is not None else {}
            session.fire(step.fire, kwargs)
        if step.instance is not None and step.status != "scheduled":
            session.storage.write(_result(step.instance, step.status))
            session.run_tasks()
    return session


def _result(instance: str, status: str | None) -> Event:
    match status:
        case "running":
            return TaskStarted(instance=instance)
        case "failed":
            return TaskFailed(instance=instance, exception_type="builtins.RuntimeError")
        case "skipped":
            return TaskStatusChanged(instance=instance, status="skipped")
        case _:
            return TaskFinished(instance=instance)


def runs_of(session: LocalSession, task: str) -> list[str]:
    """The kwargs of the runs that were issued, as a report shows them, sorted. Those of a deleted session are there."""
    runs = [command for command in session.storage.commands if isinstance(command, RunTask)]
    by_instance = {run.instance: run.kwargs for run in runs if run.instance.rpartition("#")[0] == task}
    return sorted(as_text(split_members(kwargs)) for kwargs in by_instance.values())


def runs_in_report(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    return sorted(as_text({alias: bytes(value) for alias, value in run.items()}) for run in runs)


def as_text(kwargs: Mapping[str, bytes]) -> str:
    return json.dumps({alias: value.decode() for alias, value in sorted(kwargs.items())})
