"""`ThreadingTaskRunner`: runs the tasks of embedded storages in threads, for tests and small applications."""

from __future__ import annotations

import threading
import time
from typing import Any, ClassVar
from uuid import uuid4

from celery import current_app
from celery.app.trace import build_tracer

from triggers.importlib import dl
from triggers.manager import TriggerManager
from triggers.runners.contract import BaseTaskRunner
from triggers.runners.task_lookup import resolve_celery_task
from triggers.task import TriggerTask
from triggers.types import TaskInstance


class ThreadingTaskRunner(BaseTaskRunner):
    """Runs each task in its own thread. It uses Celery's tracer, so signals and `self.request` are as in a worker."""

    name: ClassVar[str] = "threading"
    triggers__registry_key: ClassVar[str] = "threading"

    allow_python_path_target: ClassVar[bool] = False
    """True if a rule's `run` may be the dotted path of a task class. It can import any module, so use it in tests."""

    waits_for_cooldown: ClassVar[bool] = True
    """True if the runner waits for the cooldown of a retry. `triggers.testing` sets it to False."""

    _threads: ClassVar[list[threading.Thread]] = []

    @classmethod
    def join_all(cls) -> None:
        """Blocks until all tasks have ended, including those that they cause. Raises ValueError in a task's thread."""
        if threading.current_thread() in cls._threads:
            raise ValueError(f"{threading.current_thread()!r} runs a task, so it would wait for itself")
        while cls._threads:
            cls._threads[0].join()
            cls._threads.pop(0)

    def run(self, manager: TriggerManager, task_instance: TaskInstance) -> None:
        task = self.resolve(task_instance.config.run)
        delay = task_instance.cooldown if self.waits_for_cooldown else 0
        arguments = (task, self._prepare_task_kwargs(manager, task_instance), task_instance.depth, delay)
        thread = threading.Thread(target=_run, args=arguments, name=task_instance.name)
        thread.start()
        self._threads.append(thread)

    def resolve(self, target: object) -> TriggerTask:
        """Returns the bound task. `target` may also be a dotted path if `allow_python_path_target` is set."""
        return super().resolve(self._named(target) if isinstance(target, str) else target)

    def _named(self, target: str) -> object:
        try:
            return resolve_celery_task(target)
        except ValueError:
            if not self.allow_python_path_target:
                raise
            return dl(target)


def _run(task: TriggerTask, kwargs: dict[str, Any], retries: int, delay: float) -> None:
    time.sleep(delay)
    task_id = str(uuid4())
    request = {"id": task_id, "retries": retries, "task": task.name, "args": (), "kwargs": kwargs}
    try:
        build_tracer(task.name, task, app=current_app)(task_id, (), kwargs, request)
    finally:
        task.cleanup_thread()
