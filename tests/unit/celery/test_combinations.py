# ruff: noqa: ANN401  # a bound Celery task is untyped
"""What Celery's users combine in a task works in a command, too."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from billiard.exceptions import TimeLimitExceeded, WorkerLostError
from celery import Task, chain, group, shared_task
from celery.worker.request import Request
from tests.support.command_runs import CommandRuns, RecordingResults, request_of, text_of

from triggers.celery.command_request import CommandRequest
from triggers.core.commands import RunTask
from triggers.core.events import MetadataUpdated, TaskFailed, TaskFinished
from triggers.task import current_command

ID = "s1/t_x#0/1"
noted: list[str] = []


class Base(Task):  # type: ignore[misc]  # Celery carries no types
    """A task class of the application with Celery's handlers."""

    abstract = True

    def before_start(self, task_id: str, _args: object, _kwargs: object) -> None:
        noted.append(f"before_start {task_id}")

    def on_success(self, retval: object, task_id: str, *_: object) -> None:
        noted.append(f"on_success {task_id} {retval}")

    def after_return(self, status: str, *_: object) -> None:
        noted.append(f"after_return {status}")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return {"called": self.run(*args, **kwargs)}


class OwnRequest(Request):  # type: ignore[misc]  # Celery carries no types
    """A request class of the application."""

    def on_timeout(self, soft: bool, timeout: float) -> None:
        noted.append(f"on_timeout {soft} {timeout}")
        super().on_timeout(soft, timeout)


def increment(go: dict[str, int]) -> int:
    return go["n"] + 1


shared_task(increment, name=f"{__name__}.shared")


def send_email(to: str, template: str) -> str:
    return f"{template} for {to}"


def bound(self: Any, go: dict[str, int]) -> dict[str, object]:
    return {"id": self.request.id, "retries": self.request.retries, "session": current_command().session, "go": go}


def add(x: int, y: int) -> int:
    return x + y


def total(numbers: list[int]) -> int:
    noted.append(f"total {sum(numbers)}")
    return sum(numbers)


def sends(self: Any, go: dict[str, str]) -> str:
    add, total = self.app.tasks["add"], self.app.tasks["total"]
    match go["how"]:
        case "delay":
            add.delay(1, 2)
        case "apply_async":
            add.apply_async((1, 2), countdown=1)
        case "chain":
            chain(add.s(1, 2), add.s(3)).delay()
        case "chord":
            (group(add.s(1, 1), add.s(2, 2)) | total.s()).delay()
    return go["how"]


def _command(run: str, kwargs: object, depth: int = 0) -> RunTask:
    return RunTask(session="s1", instance="t_x#0", attempt=1, run=run, kwargs=json.dumps(kwargs).encode(), depth=depth)


def _runs(*, has_broker: bool = False, **configuration: object) -> CommandRuns:
    noted.clear()
    runs = CommandRuns(has_broker=has_broker, **configuration)
    functions: dict[str, Any] = {"send_email": send_email, "add": add, "total": total}
    bound_functions: dict[str, Any] = {"bound": bound, "sends": sends}
    for name, function in functions.items():
        runs.app.task(function, name=name, shared=False)
    for name, function in bound_functions.items():
        runs.app.task(function, name=name, bind=True, shared=False)
    runs.app.task(add, name="based", base=Base, shared=False)
    return runs


def _result(runs: CommandRuns) -> object:
    (event,) = runs.events
    assert isinstance(event, TaskFinished), event
    return json.loads(event.result)


def test_an_existing_task_is_called_with_its_own_parameters() -> None:
    runs = _runs()

    runs.run(_command("send_email", {"to": "a@b.c", "template": "welcome"}))

    assert _result(runs) == {"result": "welcome for a@b.c"}


def test_a_bound_task_finds_its_command() -> None:
    runs = _runs()

    runs.run(_command("bound", {"go": {"n": 1}}, depth=2))

    assert _result(runs) == {"id": ID, "retries": 2, "session": "s1", "go": {"n": 1}}


def test_a_shared_task_runs() -> None:
    runs = _runs()

    runs.run(_command(f"{__name__}.shared", {"go": {"n": 1}}))

    assert _result(runs) == {"result": 2}


def test_the_handlers_of_a_task_class_are_called() -> None:
    runs = _runs()

    runs.run(_command("based", {"x": 1, "y": 2}))

    assert _result(runs) == {"called": 3}
    assert noted == [f"before_start {ID}", f"on_success {ID} {{'called': 3}}", "after_return SUCCESS"]


def test_the_request_class_of_a_task_is_kept() -> None:
    runs = _runs()
    runs.app.task(add, name="requested", Request=f"{__name__}:OwnRequest", shared=False)
    runs.app.tasks["requested"].Request = OwnRequest

    consumer = SimpleNamespace(app=runs.app, hostname="here", event_dispatcher=None)
    request = request_of(_command("requested", {"x": 1, "y": 2}), consumer, RecordingResults([]))
    request.on_timeout(soft=True, timeout=3)

    assert isinstance(request, CommandRequest)
    assert noted == ["on_timeout True 3"]


@pytest.mark.parametrize("how", [WorkerLostError("signal 9 (SIGKILL)"), SystemExit(7), TimeLimitExceeded(3)])
def test_a_lost_child_is_one_failure_with_or_without_acks_late(how: BaseException) -> None:
    """Celery would give the message back to its broker and report nothing, but a command has no message."""
    runs = _runs(result_backend="disabled://")
    runs.app.task(add, name="late", acks_late=True, reject_on_worker_lost=True, shared=False)
    runs.app.tasks["late"].acks_on_failure_or_timeout = False

    runs.lose(_command("late", {"x": 1, "y": 2}), how)

    (event,) = runs.events
    assert isinstance(event, TaskFailed)
    assert str(how) in text_of(event)
    assert runs.settled == [ID]


@pytest.mark.skipif(not hasattr(Task, "retry_on_worker_lost"), reason="Celery has the option since 5.7")
@pytest.mark.parametrize("has_broker", [True, False])
def test_a_lost_child_is_retried_by_celery_if_the_app_has_a_broker(has_broker: bool) -> None:
    runs = _runs(has_broker=has_broker, result_backend="disabled://")
    runs.app.task(add, name="late", retry_on_worker_lost=True, default_retry_delay=0, shared=False)

    runs.lose(_command("late", {"x": 1, "y": 2}), WorkerLostError("signal 9 (SIGKILL)"))

    if has_broker:
        assert runs.run_messages() == ["late"]
    kinds = [type(event) for event in runs.events]
    assert kinds == ([MetadataUpdated, TaskFinished] if has_broker else [TaskFailed])
    assert runs.settled == [ID]


def test_a_lost_child_is_a_failure_even_if_the_result_backend_has_a_success() -> None:
    """It may know a success of a deleted session, whose commands had the same ids."""
    _runs().run(_command("add", {"x": 1, "y": 2}))
    runs = _runs()

    runs.lose(_command("add", {"x": 1, "y": 2}), WorkerLostError("signal 9 (SIGKILL)"))

    (event,) = runs.events
    assert isinstance(event, TaskFailed)
    assert runs.settled == [ID]


def test_monitors_get_every_field_that_a_broker_s_message_has() -> None:
    runs = _runs()
    sent: dict[str, object] = {}
    eventer = SimpleNamespace(enabled=True, send=lambda kind, **fields: sent.update(fields, type=kind))
    consumer = SimpleNamespace(app=runs.app, hostname="here", event_dispatcher=eventer)

    command = _command("bound", {"go": {"n": 1}}, depth=2)
    request_of(command, consumer, RecordingResults([])).announce_received()

    assert (sent["type"], sent["uuid"], sent["root_id"], sent["parent_id"]) == ("task-received", ID, ID, None)
    assert (sent["name"], sent["retries"], sent["eta"], sent["expires"]) == ("bound", 2, None, None)
    assert (sent["args"], sent["kwargs"]) == ("()", "{'go': {'n': 1}}")


def test_with_a_broker_a_command_sends_tasks_chains_and_chords() -> None:
    for how, messages in {
        "delay": ["add"],
        "apply_async": ["add"],
        "chain": ["add", "add"],
        "chord": ["add", "add", "total"],
    }.items():
        runs = _runs(has_broker=True)

        runs.run(_command("sends", {"go": {"how": how}}))

        assert runs.run_messages() == messages
        assert _result(runs) == {"result": how}
        assert noted == (["total 6"] if how == "chord" else [])


def test_without_a_broker_a_command_that_sends_tasks_fails_and_says_what_to_do() -> None:
    for how in ("delay", "apply_async", "chain", "chord"):
        runs = _runs()

        runs.run(_command("sends", {"go": {"how": how}}))

        (event,) = runs.events
        assert isinstance(event, TaskFailed)
        assert "Fire a trigger instead" in text_of(event)


def test_with_task_always_eager_tasks_that_a_command_sends_run_inside_it() -> None:
    runs = _runs(task_always_eager=True)

    runs.run(_command("sends", {"go": {"how": "chord"}}))

    assert _result(runs) == {"result": "chord"}
    assert noted == ["total 6"]
