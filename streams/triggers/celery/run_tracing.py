"""The span of a run. While the task's body runs, it is OpenTelemetry's current one, the parent of the task's own spans.

Without OpenTelemetry, the run passes its command's context on: to its result, and to what the task fires.
"""

from __future__ import annotations

import threading
from typing import Any

from celery import signals

from triggers.celery.command_traces import RUN, command_trace
from triggers.core.trace_context import TraceContext
from triggers.results.result_events import CommandName
from triggers.telemetry.current_trace import follow
from triggers.telemetry.spans import Kind
from triggers.telemetry.tracing import begin_span, export_spans, flush

_SERVICE = "triggers-celery"


class _Run(threading.local):
    """The run of this thread."""

    task_id: str | None = None
    span: Any = None


_run = _Run()


def begin_run(request: Any, name: CommandName) -> None:
    """Called when a run of a command begins in this thread, before anything is published about it."""
    _end()  # a run that has left Celery's tracer by an exception was not ended
    command = command_trace(request)
    trace = None if command is None else _begin(request, name, command)
    follow(trace)


def record_failure(task_id: str, error: BaseException) -> None:
    """Records the exception with which the run of this thread fails."""
    if _run.span is not None and _run.task_id == task_id:
        _run.span.record_error(error)


def end_run(task_id: str, state: str) -> None:
    """Called when a run has ended and is reported. Tasks that run inside of it, without a command, are ignored."""
    if _run.task_id == task_id:
        if _run.span is not None:
            _run.span.set_attribute("celery.state", state)
        _end()
        follow(None)


def export_spans_of_workers() -> None:
    """Makes the Celery workers of this process, and their pool children, export spans if the variables say so."""
    signals.worker_init.connect(_export, weak=False, dispatch_uid="triggers-spans")
    signals.worker_process_init.connect(_export, weak=False, dispatch_uid="triggers-spans-of-child")
    for signal in (signals.worker_process_shutdown, signals.worker_shutdown):
        signal.connect(_flush, weak=False, dispatch_uid="triggers-spans-flush")


def _begin(request: Any, name: CommandName, command: TraceContext) -> TraceContext:
    attributes: dict[str, str | int | bool] = {
        "messaging.system": "kafka",
        "messaging.operation.type": "process",
        "messaging.operation.name": "run",
        "triggers.session": name.session,
        "triggers.instance": name.instance,
        "triggers.attempt": name.attempt,
        "celery.task_id": name.task_id,
    }
    span = begin_span(f"run {request.task}", Kind.CONSUMER, command, attributes)
    _run.task_id, _run.span = request.id, span
    trace = command if span is None else span.trace or command
    request.update({RUN: trace})
    return trace


def _end() -> None:
    span, _run.task_id, _run.span = _run.span, None, None
    if span is not None:
        span.end()


def _export(**_: object) -> None:
    export_spans(_SERVICE)


def _flush(**_: object) -> None:
    flush()
