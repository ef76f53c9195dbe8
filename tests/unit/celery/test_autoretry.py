"""A `TriggerTask` with Celery's `autoretry_for` runs again as Celery would run it, and ends with its own exception."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from celery import Celery
from tests.support.command_runs import CommandRuns

from triggers.celery.autoretry import autoretry_cooldown
from triggers.core.commands import RunTask
from triggers.core.events import Event, TaskFailed, TaskFinished, TaskRetried
from triggers.task import TaskContext, TriggerTask


class Declined(Exception):
    """The card was declined."""


class Expired(Declined):
    """The card is expired."""


class Charge(TriggerTask):
    name = f"{__name__}.Charge"
    autoretry_for = (Declined,)
    dont_autoretry_for = (Expired,)
    retry_kwargs = {"max_retries": 2, "countdown": 3}  # noqa: RUF012  # as Celery's users write it

    def _run(self, context: TaskContext) -> dict[str, bool]:
        card = context.trigger_kwargs["go"]["card"]
        if card == "good":
            return {"charged": True}
        raise (Expired if card == "expired" else Declined)(card)


def _run(card: str, depth: int = 0) -> Event:
    runs = CommandRuns(has_broker=False)
    kwargs = json.dumps({"go": {"card": card}}).encode()
    runs.run(RunTask(session="s1", instance="t_x#0", attempt=1, run=Charge.name, kwargs=kwargs, depth=depth))
    (event,) = runs.events
    return event


@pytest.mark.parametrize("depth", [0, 1])
def test_it_is_retried_for_the_exceptions_that_it_names(depth: int) -> None:
    event = _run("declined", depth)

    assert isinstance(event, TaskRetried)
    assert event.exception_type == f"{__name__}.Declined"
    assert event.cooldown_ms == 3000


def test_after_the_last_retry_it_fails_with_its_own_exception() -> None:
    event = _run("declined", depth=2)

    assert isinstance(event, TaskFailed)
    assert event.exception_type == f"{__name__}.Declined"


def test_it_is_not_retried_for_the_exceptions_that_it_spares() -> None:
    event = _run("expired")

    assert isinstance(event, TaskFailed)
    assert event.exception_type == f"{__name__}.Expired"


def test_a_result_is_a_result() -> None:
    assert isinstance(_run("good"), TaskFinished)


def _cooldown(**options: Any) -> float | None:  # Celery's options
    request = SimpleNamespace(retries=options.pop("retries", 0))
    defaults = {"autoretry_for": (Declined,), "max_retries": 3, "default_retry_delay": 180}
    return autoretry_cooldown(SimpleNamespace(request=request, **(defaults | options)), Declined())


def test_the_waiting_times_are_celery_s() -> None:
    assert _cooldown() == 180
    assert _cooldown(retry_kwargs={"countdown": 5}) == 5
    assert _cooldown(retry_backoff=2, retry_jitter=False, retries=2) == 8
    assert _cooldown(retry_backoff=True, retry_jitter=False, retry_backoff_max=3, retries=2) == 3
    assert 0 <= (_cooldown(retry_backoff=10, retries=2) or 0) <= 40
    assert _cooldown(retries=3) is None
    assert _cooldown(max_retries=None, retries=300) == 180


def test_celery_leaves_the_task_alone() -> None:
    app = Celery("unit", set_as_current=False)

    app.finalize()

    assert "run" not in vars(app.tasks[Charge.name])
