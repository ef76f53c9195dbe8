"""Calls a task as a Celery worker does for a command of the stream: a function, a task of Celery, a `TriggerTask`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from triggers.core.commands import RunTask
from triggers.manager import TriggerManager
from triggers.results.result_events import CommandName
from triggers.running.context import TaskContext, running_command
from triggers.testing.played_tasks import TaskRun


def call_task(task: Callable[..., Any], command: RunTask, run: TaskRun, manager: TriggerManager) -> Any:
    """Returns the result of the task, or the verdict of a `TriggerTask`. Raises whatever the task raises.

    `autoretry_for` of a `TriggerTask` retries its instance. In a plain task of Celery it has no effect, and
    `self.retry()` raises its cause, because nobody would send the task again: a test sees the failure of the attempt,
    and the rule's own `retry`.
    """
    name = CommandName(session=command.session, instance=command.instance, attempt=command.attempt)
    with running_command(name):
        trigger_task = _as_trigger_task(task)
        if trigger_task is not None:
            return _call_trigger_task(trigger_task, command, run, manager)
        _free_first_names(task, run.kwargs)
        return task(**run.kwargs)


def _as_trigger_task(task: Any) -> Any:
    """Returns the `TriggerTask`, or None for anything else. Does not import Celery: code with such a task has."""
    module = sys.modules.get("triggers.task")
    if module is None:
        return None
    if isinstance(task, type) and issubclass(task, module.TriggerTask):
        return task()
    return task if isinstance(task, module.TriggerTask) else None


def _free_first_names(task: Any, kwargs: dict[str, Any]) -> None:
    """Lets a task of Celery have arguments called like its own parameters, as on a worker of an installed app."""
    module = sys.modules.get("triggers.celery.argument_names")
    if module is not None and hasattr(task, "request_stack"):
        module.free_first_names(task, kwargs)


def _call_trigger_task(task: Any, command: RunTask, run: TaskRun, manager: TriggerManager) -> Any:
    context = TaskContext(
        run.instance, "default", "memory", command.session, run.kwargs, attempt=run.attempt, logger_name=task.name
    )
    context.manager = manager
    try:
        return sys.modules["triggers.task"].run_in_thread(task, context, command.depth)
    finally:
        run.log_level = context.log_level
