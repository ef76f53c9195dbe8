"""Registers task classes with Celery apps, as the Triggers framework did."""

from __future__ import annotations

from typing import Any

from celery import _state, current_app, signals
from celery.app.trace import build_tracer


def register_in_every_app(task_class: Any) -> None:
    """Registers a task of the class in every Celery app of this process, as `shared_task` does for functions.

    An app that already has a task of this class under the name keeps it.
    """

    def register(app: Any) -> None:
        task = task_class()
        name = task.name or app.gen_task_name(task_class.__name__, task_class.__module__)
        if type(app._tasks.get(name)) is not task_class:  # `app.tasks` would finalize the app again
            app.register_task(task)

    _state.connect_on_app_finalize(register)
    for app in _state._get_active_apps():
        if app.finalized:
            register(app)


def share_tasks_with_children(app: Any) -> None:
    """Registers the app's tasks in the copy of the app that a spawned pool child has. Idempotent."""

    def adopt(sender: Any = None, **_: object) -> None:
        copy = current_app._get_current_object()
        if copy is app or copy.main != app.main:
            return
        for name, task in app.tasks.items():
            if name not in copy.tasks:
                copy.tasks[name] = task
                task.__trace__ = build_tracer(name, task, copy.loader, sender, app=copy)

    signals.worker_process_init.connect(adopt, weak=False, dispatch_uid=f"triggers-tasks-{id(app)}")
