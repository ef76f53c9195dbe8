"""Runs Celery's tracer so that every exception is an outcome, also one that leaves the tracer."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from billiard.einfo import ExceptionInfo
from celery.app.trace import fast_trace_task, trace_task_ret
from celery.exceptions import TaskRevokedError
from celery.worker import state

from triggers.celery.reports import keep_reports
from triggers.celery.run_outcome import ESCAPED, RunOutcome, pack_info


class TracerPool:
    """A pool in which Celery's tracer is run by `_run_tracer`."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool

    def apply_async(self, trace: Any, **options: Any) -> Any:
        tracer = fast_trace if trace is fast_trace_task else slow_trace
        return self._pool.apply_async(tracer, **options)


def fast_trace(*args: Any, **kwargs: Any) -> RunOutcome:
    """Runs a task. Called in a pool child."""
    return _run_tracer(fast_trace_task, *args, **kwargs)


def slow_trace(*args: Any, **kwargs: Any) -> RunOutcome:
    """Runs a task in a process that Celery did not set up. Called in a pool child."""
    return _run_tracer(trace_task_ret, *args, **kwargs)


def _run_tracer(trace: Callable[..., Any], *args: Any, **kwargs: Any) -> RunOutcome:
    """Runs a task by Celery's tracer.

    Returns an exception that leaves the tracer (MemoryError) as an outcome, because a thread pool would lose it. A task
    that was cancelled while it waited for a thread of the pool does not run.
    """
    began, task_id = time.monotonic(), args[1]
    with keep_reports() as reports:
        try:
            if task_id in state.revoked:
                raise TaskRevokedError(task_id)  # noqa: TRY301  # it is an outcome like the others
            code, value, runtime = trace(*args, **kwargs)
        except Exception:  # noqa: BLE001  # any exception is this task's outcome
            code, value, runtime = ESCAPED, ExceptionInfo(), time.monotonic() - began
        return RunOutcome(code, value if code == 0 else pack_info(value), runtime, reports)
