"""Triggers may be called like the parameters of Celery's own methods and of the tasks' bodies."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from typing import Any

import pytest
from celery import Celery
from celery.app.task import Task
from celery.app.trace import build_tracer

from triggers.celery.argument_names import allow_any_argument
from triggers.testing import LocalSession

NAMES = [
    *("self", "task", "cls", "args", "kwargs", "task_id", "uuid", "request", "countdown", "eta", "queue", "retries"),
    *("body", "name", "run", "call", "context", "logger_name", "__class__", "__init__", "", "a b", "{x}", "a\0b", "ü"),
]

app = Celery("names", broker="memory://", set_as_current=False)
allow_any_argument()


def plain(**triggers: Any) -> Any:  # noqa: ANN401  # as applications write it
    """A plain task."""
    return triggers


def bound(self: Any, *, missing: int = 7, **triggers: Any) -> Any:  # noqa: ANN401
    """A bound task."""
    return triggers | {"bound": (self.name, missing)}


def retried(task: Any, **triggers: Any) -> Any:  # noqa: ANN401
    """A bound task whose body Celery wraps."""
    return triggers | {"bound": (task.name, 7)}


class Method(Task):  # type: ignore[misc]  # Celery's class is untyped
    """A task whose body is a method."""

    name = "names.method"

    def run(self, **triggers: Any) -> Any:  # noqa: ANN401
        return triggers | {"bound": (self.name, 7)}


class InContext(Task):  # type: ignore[misc]  # Celery's class is untyped
    """A task class of the application, such as Flask's documentation has it."""

    abstract = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        return self.run(*args, **kwargs)


class InTwoContexts(InContext):
    """A class that calls the other one's method."""

    abstract = True

    def __call__(this, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401, N805  # another name
        return super().__call__(*args, **kwargs)


def in_context(self: Any, **triggers: Any) -> Any:  # noqa: ANN401
    """A bound task of such a class."""
    return triggers | {"bound": (self.name, 7)}


def in_two_contexts(**triggers: Any) -> Any:  # noqa: ANN401
    """A plain task of such a class."""
    return triggers


app.task(in_context, name="names.in_context", base=InContext, bind=True)
app.task(in_two_contexts, name="names.in_two_contexts", base=InTwoContexts)
for function, options in ((plain, {}), (bound, {"bind": True}), (retried, {"bind": True, "autoretry_for": (OSError,)})):
    app.task(function, name=f"names.{function.__name__}", **options)
app.register_task(Method())
app.finalize()
TASKS = {name: app.tasks[f"names.{name}"] for name in ("plain", "bound", "retried", "method")}
OF_CLASSES = {name: app.tasks[f"names.{name}"] for name in ("in_context", "in_two_contexts")}


def trace(task: Any, kwargs: Mapping[str, Any]) -> Any:  # noqa: ANN401
    """Runs the task as a worker does, and returns its result."""
    outcome = build_tracer(task.name, task, app=app, propagate=True)("id", (), dict(kwargs), {"id": "id"})
    return outcome.retval


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("task", TASKS)
def test_a_task_gets_a_trigger_of_any_name(task: str, name: str) -> None:
    kwargs = {name: {"score": 3}, "other": {}}

    for result in (trace(TASKS[task], kwargs), TASKS[task](**kwargs)):
        assert {key: value for key, value in result.items() if key != "bound"} == kwargs
        assert result.get("bound", (TASKS[task].name, 7)) == (TASKS[task].name, 7)


@pytest.mark.parametrize("name", [*NAMES, "this"])
@pytest.mark.parametrize("task", OF_CLASSES)
def test_a_task_of_the_application_s_own_class_gets_a_trigger_of_any_name(task: str, name: str) -> None:
    kwargs = {name: {"score": 3}, "other": {}}

    for result in (trace(OF_CLASSES[task], kwargs), OF_CLASSES[task].apply(kwargs=kwargs).get()):
        assert {key: value for key, value in result.items() if key != "bound"} == kwargs


@pytest.mark.parametrize("task", [*TASKS, *OF_CLASSES])
def test_a_test_of_rules_runs_it_as_a_worker_does(task: str) -> None:
    session = LocalSession({"t_task": {"after": ["self"], "run": f"names.{task}"}}, app=app)

    session.fire("self", {"score": 3})

    assert session.statuses == {"t_task#0": "finished"}


@pytest.mark.parametrize("name", NAMES)
def test_the_dispatcher_s_message_has_a_trigger_of_any_name(name: str) -> None:
    sent: list[Any] = []
    with app.connection_for_write() as connection:
        queue = connection.SimpleQueue("names")
        app.send_task("names.plain", kwargs={name: {"score": 3}}, task_id="id", queue="names", connection=connection)
        message = queue.get(timeout=5)
        sent.append(message.decode())
        message.ack()
        queue.close()

    assert sent[0][1] == {name: {"score": 3}}


@pytest.mark.parametrize("name", NAMES)
def test_a_body_without_a_name_in_the_way_is_not_replaced(name: str) -> None:
    before = TASKS["plain"].run
    trace(TASKS["plain"], {name: 1})

    assert TASKS["plain"].run is before
    assert pickle.loads(pickle.dumps(TASKS["bound"])).name == "names.bound"  # noqa: S301  # our own bytes


def test_allowing_it_again_changes_nothing() -> None:
    before = Task.__call__
    allow_any_argument()

    assert Task.__call__ is before
