"""A result backend that does not answer, or a task's own handlers, cannot change the outcome of a command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.command_runs import CommandRuns

from triggers.core.commands import RunTask
from triggers.core.events import Event, TaskFailed, TaskFinished, TaskRetried


def returns(**_: object) -> dict[str, int]:
    return {"n": 1}


def returns_set(**_: object) -> set[int]:
    return {1}


def raises(**_: object) -> None:
    raise ValueError("no such page")


def retries(self: Any, **_: object) -> None:  # noqa: ANN401  # a bound Celery task is untyped
    raise self.retry(exc=ValueError("no such page"))


def broken_handler(*_: object) -> None:
    raise RuntimeError("the task's own handler is broken")


UNAVAILABLE = "tests.support.unavailable_backend:UnavailableBackend"


def _run(function: Any, backend: str = UNAVAILABLE, **options: object) -> list[Event]:  # noqa: ANN401  # a Celery task is untyped
    runs = CommandRuns(has_broker=False, result_backend=backend)
    runs.app.task(function, name="t", shared=False, **options)
    runs.run(RunTask(session="s1", instance="t_x#0", attempt=1, run="t", kwargs=b'{"go":{}}'))
    return runs.events


@pytest.mark.parametrize("track_started", [False, True])
def test_a_result_reaches_the_session(track_started: bool) -> None:
    (event,) = _run(returns, track_started=track_started)

    assert isinstance(event, TaskFinished)
    assert json.loads(event.result) == {"n": 1}


def test_a_result_backend_that_cannot_have_the_task_s_id_changes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (event,) = _run(returns, f"file://{tmp_path}")

    assert isinstance(event, TaskFinished)
    assert "the result backend did not store that s1/t_x#0/1 is SUCCESS" in caplog.text


def test_an_exception_reaches_the_session() -> None:
    (event,) = _run(raises)

    assert isinstance(event, TaskFailed)
    assert event.exception_type == "builtins.ValueError"


def test_a_retry_reaches_the_session() -> None:
    (event,) = _run(retries, bind=True)

    assert isinstance(event, TaskRetried)
    assert event.exception_type == "builtins.ValueError"


def test_a_result_that_json_lacks_fails_and_names_its_type() -> None:
    (event,) = _run(returns_set)

    assert isinstance(event, TaskFailed)
    assert "set cannot be JSON" in event.exception_info


@pytest.mark.filterwarnings("ignore:Exception raised outside body")  # Celery before 5.7
def test_a_handler_of_the_task_that_raises_does_not_undo_its_result() -> None:
    (event,) = _run(returns, on_success=broken_handler)

    assert isinstance(event, TaskFinished)
