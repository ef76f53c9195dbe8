# ruff: noqa: ANN401  # a bound Celery task is untyped
"""Celery's own retry and self.replace() end a run without ending the command, which ends where Celery ends it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from celery import chain, group
from tests.support.command_runs import CommandRuns, text_of

from triggers.core.commands import RunTask
from triggers.core.events import MetadataUpdated, TaskFailed, TaskFinished, TaskRetried
from triggers.results.result_events import CommandName

SESSION = "a/b#1/2 über"
NAME = CommandName(session=SESSION, instance="t_x#0", attempt=2)


class Declined(Exception):
    """The card was declined."""


class Unpicklable(Exception):
    """An exception that cannot be pickled."""

    def __init__(self) -> None:
        super().__init__("card declined")
        self.hook = lambda: None


def _command(run: str, depth: int = 0, kwargs: bytes = b'{"go":{"n":1}}') -> RunTask:
    return RunTask(session=SESSION, instance="t_x#0", attempt=2, run=run, kwargs=kwargs, depth=depth)


def flaky(self: Any, **_: object) -> dict[str, int]:
    if self.request.retries == 0:
        raise Declined("card declined")
    return {"retries": self.request.retries}


def hopeless(self: Any, **_: object) -> None:
    raise self.retry(exc=Declined("card declined"), countdown=1.5)


def later(self: Any, **_: object) -> None:
    raise self.retry(exc=Declined("card declined"), eta=self.app.now() + timedelta(minutes=1))


def unpicklable(self: Any, **_: object) -> None:
    try:
        _raise_unpicklable()
    except Unpicklable as error:
        raise self.retry(exc=error, countdown=1) from error


def changed(self: Any, **_: object) -> None:
    raise self.retry(kwargs={"go": {"n": 2}})


def add(x: int, y: int) -> int:
    return x + y


def total(numbers: list[int]) -> dict[str, int]:
    return {"total": sum(numbers)}


def broken(*_: object, **__: object) -> None:
    raise Declined("a part is broken")


def replaced(self: Any, go: dict[str, str]) -> Any:
    task = self.app.tasks
    add, broken, total = task["add"], task["broken"], task["total"]
    replacements = {
        "a task": lambda: add.si(1, 2),
        "a chain": lambda: chain(add.si(1, 2), add.s(3)),
        "a chord": lambda: group(add.si(1, 1), add.si(2, 2)) | total.s(),
        "a group": lambda: group(add.si(1, 1), add.si(2, 2)),
        "a chain that breaks": lambda: chain(add.si(1, 2), broken.s(), add.s(3)),
        "a chord that breaks": lambda: group(add.si(1, 1), broken.si()) | total.s(),
        "a task that is replaced": lambda: self.si(go={"by": "a task"}),
    }
    return self.replace(replacements[go["by"]]())


def sends(self: Any, go: dict[str, str]) -> None:
    self.app.tasks[go["sent"]].delay(go={"by": "a chain that breaks"})


def _raise_unpicklable() -> None:
    raise Unpicklable


def _runs(*, has_broker: bool) -> CommandRuns:
    runs = CommandRuns(has_broker=has_broker)
    functions: list[Any] = [add, total, broken]
    bound_functions: list[Any] = [hopeless, later, unpicklable, changed, replaced, sends]
    for function in functions:
        runs.app.task(function, name=function.__name__, shared=False)
    for function in bound_functions:
        runs.app.task(function, name=function.__name__, bind=True, max_retries=1, shared=False)
    retrying = {"autoretry_for": (Declined,), "max_retries": 1, "default_retry_delay": 7}
    runs.app.task(flaky, name="flaky", bind=True, shared=False, **retrying)
    return runs


def test_without_a_broker_the_engine_carries_out_autoretry_for() -> None:
    runs = _runs(has_broker=False)

    runs.run(_command("flaky"))

    (event,) = runs.events
    assert isinstance(event, TaskRetried)
    assert event.exception_type.endswith("Declined") if event.exception_type else False
    assert "card declined" in text_of(event)
    assert (event.cooldown_ms, event.replacement_kwargs) == (7000, None)


def test_the_number_of_retries_counts_for_max_retries() -> None:
    runs = _runs(has_broker=False)

    runs.run(_command("flaky", depth=1))
    runs.run(_command("hopeless", depth=1))

    finished, failed = runs.events
    assert isinstance(finished, TaskFinished)
    assert json.loads(finished.result) == {"retries": 1}
    assert isinstance(failed, TaskFailed)
    assert failed.exception_type.endswith("Declined")


@pytest.mark.parametrize(
    ("run", "cooldown_ms"), [("hopeless", (1500, 1500)), ("later", (30_000, 60_000)), ("unpicklable", (1000, 1000))]
)
def test_without_a_broker_the_engine_waits_as_long_as_celery_would(run: str, cooldown_ms: tuple[int, int]) -> None:
    runs = _runs(has_broker=False)

    runs.run(_command(run))

    (event,) = runs.events
    assert isinstance(event, TaskRetried)
    assert "card declined" in text_of(event)
    assert cooldown_ms[0] <= event.cooldown_ms <= cooldown_ms[1]


def test_without_a_broker_a_retry_with_other_arguments_fails_and_says_what_to_do() -> None:
    runs = _runs(has_broker=False)

    runs.run(_command("changed"))

    (event,) = runs.events
    assert isinstance(event, TaskFailed)
    assert "a retry with other arguments" in text_of(event)


def test_with_a_broker_celery_retries_and_the_session_shows_it() -> None:
    runs = _runs(has_broker=True)

    runs.run(_command("flaky"))
    assert runs.run_messages() == ["flaky"]

    noted, finished = runs.events
    assert isinstance(noted, MetadataUpdated)
    retry = json.loads(noted.metadata)["celeryRetry"]
    assert (retry["retries"], retry["exceptionType"].rsplit(".")[-1]) == (1, "Declined")
    assert "7s" in retry["reason"]
    assert isinstance(finished, TaskFinished)
    assert json.loads(finished.result) == {"retries": 1}
    assert runs.names == {NAME}


@pytest.mark.parametrize(
    ("by", "result", "messages"),
    [
        ("a task", {"result": 3}, ["add"]),
        ("a chain", {"result": 6}, ["add", "add"]),
        ("a chord", {"total": 6}, ["add", "add", "total"]),
        ("a group", {"result": [2, 4]}, ["add", "add", "celery.accumulate"]),
        ("a task that is replaced", {"result": 3}, ["replaced", "add"]),
    ],
)
def test_a_replaced_task_ends_like_its_replacement(by: str, result: object, messages: list[str]) -> None:
    runs = _runs(has_broker=True)

    runs.run(_command("replaced", kwargs=json.dumps({"go": {"by": by}}).encode()))
    assert runs.run_messages() == messages

    *noted, finished = runs.events
    assert [json.loads(event.metadata) for event in noted if isinstance(event, MetadataUpdated)] == [
        {"replacedBy": name} for name in messages[: len(noted)]
    ]
    assert isinstance(finished, TaskFinished)
    assert json.loads(finished.result) == result
    assert runs.names == {NAME}


@pytest.mark.parametrize("by", ["a chain that breaks", "a chord that breaks"])
def test_a_replaced_task_fails_with_any_part_of_its_replacement(by: str) -> None:
    runs = _runs(has_broker=True)

    runs.run(_command("replaced", kwargs=json.dumps({"go": {"by": by}}).encode()))
    runs.run_messages()

    _, failed = runs.events
    assert isinstance(failed, TaskFailed)
    assert "a part is broken" in text_of(failed)
    assert runs.names == {NAME}


@pytest.mark.parametrize("sent", ["replaced", "broken"])
def test_a_task_that_a_command_only_sends_does_not_fail_it(sent: str) -> None:
    runs = _runs(has_broker=True)

    runs.run(_command("sends", kwargs=json.dumps({"go": {"sent": sent}}).encode()))
    assert runs.run_messages()

    assert [type(event) for event in runs.events] == [TaskFinished]


def test_without_a_broker_a_replacement_fails_and_says_what_to_do() -> None:
    runs = _runs(has_broker=False)

    runs.run(_command("replaced", kwargs=b'{"go":{"by":"a task"}}'))

    (failed,) = runs.events
    assert isinstance(failed, TaskFailed)
    assert "self.replace()" in text_of(failed)
