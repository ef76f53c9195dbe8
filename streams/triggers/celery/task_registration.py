"""Task classes register themselves, as those of the Triggers framework did."""

from __future__ import annotations

from typing import Any

from celery import _state, current_app, signals
from celery.app.trace import build_tracer


def register_in_every_app(task_class: Any) -> None:
    """Let every Celery app of this process have the task, as Celery's `shared_task` does for functions.

    An app that has a task of this class under its name keeps that one.
    """

    def register(app: Any) -> None:
        task = task_class()
        name = task.name or app.gen_task_name(task_class.__name__, task_class.__module__)
        if type(app._tasks.get(name)) is not task_class:  # noqa: SLF001  # `tasks` would finalize the app again
            app.register_task(task)

    _state.connect_on_app_finalize(register)
    for app in _state._get_active_apps():  # noqa: SLF001  # Celery's own way to reach apps that are ready
        if app.finalized:
            register(app)


def share_tasks_with_children(app: Any) -> None:
    """Let a spawned child's copy of the app know the tasks of the original. Twice is once."""

    def adopt(sender: Any = None, **_: object) -> None:
        copy = current_app._get_current_object()  # noqa: SLF001  # Celery's own way out of its proxy
        if copy is app or copy.main != app.main:
            return
        for name, task in app.tasks.items():
            if name not in copy.tasks:
                copy.tasks[name] = task
                task.__trace__ = build_tracer(name, task, copy.loader, sender, app=copy)

    signals.worker_process_init.connect(adopt, weak=False, dispatch_uid=f"triggers-tasks-{id(app)}")
