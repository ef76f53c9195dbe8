"""Class-based tasks in pool children that are spawned instead of forked.

A spawned child gets a copy of the app, made from its configuration. Importing the application's modules gives the copy
what `@app.task` declares, but not what `app.register_task()` registers with the original.
"""

from __future__ import annotations

from typing import Any

from celery import current_app, signals
from celery.app.trace import build_tracer


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
