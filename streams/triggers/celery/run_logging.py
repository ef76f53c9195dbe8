"""Writes the log of a Celery worker as JSON, in which every line of a run names its command.

Celery makes the handlers, as its options say; only their formatters are replaced. Its pool children inherit or repeat
that, so the lines of tasks are JSON, too.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from celery import current_task, signals
from structlog.typing import EventDict

from triggers.celery.command_headers import HEADER, command_of
from triggers.telemetry.logs import json_formatter


def use_json_logging() -> None:
    """Makes the Celery workers of this process log JSON. Idempotent."""
    signals.after_setup_logger.connect(_format_as_json, dispatch_uid="triggers-log")
    signals.after_setup_task_logger.connect(_format_as_json, dispatch_uid="triggers-task-log")


def _format_as_json(logger: logging.Logger, **_: object) -> None:
    for handler in logger.handlers:
        handler.setFormatter(json_formatter(_add_run))


def _add_run(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Adds session, instance and attempt of the command, and where its record is on Kafka, if that is known."""
    request: Any = current_task.request if current_task else None
    if request is not None and request.id is not None:
        return {**event, **_run_of(request, request.id), "task": request.task}
    data = getattr(event.get("_record"), "data", None)  # what Celery adds to its lines about a run, outside the run
    task_id = data.get("id") if isinstance(data, Mapping) else None
    return {**event, **_run_of(None, task_id)} if isinstance(task_id, str) else event


def _run_of(request: Any, task_id: str) -> dict[str, object]:
    name = command_of(request, task_id)
    if name is None:
        return {"task_id": task_id}
    fields: dict[str, object] = {"session": name.session, "instance": name.instance, "attempt": name.attempt}
    header = request.get(HEADER) if request is not None else None
    if isinstance(header, Mapping):
        fields |= {key: header[key] for key in ("partition", "offset") if key in header}
    return fields
