from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from celery import Celery
from celery.app.trace import build_tracer

from triggers.celery.command_headers import command_headers
from triggers.celery.run_logging import _format_as_json
from triggers.core.commands import RunTask
from triggers.core.trace_context import TraceContext
from triggers.logging import LocalLogger, logging_to
from triggers.telemetry.current_trace import following

COMMAND = RunTask(session="a/b", instance="t_mail#3", attempt=2, run="shop.mail")


@pytest.fixture
def lines() -> tuple[logging.Logger, io.StringIO]:
    """A logger whose handler Celery has made, and what it has written."""
    logger, text = LocalLogger("shop"), io.StringIO()
    logger.addHandler(logging.StreamHandler(text))
    _format_as_json(logger)
    return logger, text


def test_a_line_of_a_run_names_its_command_and_the_record(lines: tuple[logging.Logger, io.StringIO]) -> None:
    logger, text = lines

    _run_in_task(lambda: logger.warning("sent to %s", "x"), partition=5, offset=17)

    (line,) = _objects(text)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "sent to x",
        "level": "warning",
        "logger": "shop",
        "session": "a/b",
        "instance": "t_mail#3",
        "attempt": 2,
        "partition": 5,
        "offset": 17,
        "task": "shop.mail",
    }


def test_a_line_of_a_run_names_the_trace_of_its_command(lines: tuple[logging.Logger, io.StringIO]) -> None:
    logger, text = lines

    with following(TraceContext(bytes(range(24)), 1)):
        _run_in_task(lambda: logger.warning("sent"))

    (line,) = _objects(text)
    assert (line["trace_id"], line["span_id"]) == (bytes(range(16)).hex(), bytes(range(16, 24)).hex())


def test_a_dispatched_command_has_no_record(lines: tuple[logging.Logger, io.StringIO]) -> None:
    logger, text = lines

    _run_in_task(lambda: logger.warning("sent"))

    (line,) = _objects(text)
    assert line["session"] == "a/b"
    assert "offset" not in line


def test_a_line_of_the_worker_about_a_run_names_its_command(lines: tuple[logging.Logger, io.StringIO]) -> None:
    logger, text = lines

    logger.error("Task raised", extra={"data": {"id": COMMAND.id, "name": "shop.mail"}})

    (line,) = _objects(text)
    assert (line["session"], line["instance"], line["attempt"]) == ("a/b", "t_mail#3", 2)


def test_other_lines_have_the_context_of_their_logger_and_the_traceback(
    lines: tuple[logging.Logger, io.StringIO],
) -> None:
    logger, text = lines

    with pytest.raises(ValueError, match="invalid"), logging_to(logger, {"page": 7}, lambda _: None):
        int("x")

    (line,) = _objects(text)
    assert line["context"] == {"page": 7}
    assert line["exception"].endswith("ValueError: invalid literal for int() with base 10: 'x'")
    assert "session" not in line


def _run_in_task(body: Callable[[], None], **coordinates: int) -> None:
    app = Celery("shop", broker="memory://", set_as_current=False)

    def mail() -> None:  # Celery cannot wrap a lambda
        body()

    task = app.task(name=COMMAND.run, shared=False)(mail)
    request = {"id": COMMAND.id, "task": COMMAND.run, **command_headers(COMMAND, **coordinates)}
    build_tracer(COMMAND.run, task, app=app, eager=True)(COMMAND.id, (), {}, request)


def _objects(text: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.getvalue().splitlines()]
