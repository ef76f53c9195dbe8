"""Embedded storages' tasks on Celery workers."""

from __future__ import annotations

from typing import ClassVar

from celery import current_app
from celery.result import EagerResult

from triggers.manager import TriggerManager
from triggers.runners.contract import BaseTaskRunner
from triggers.runners.task_lookup import resolve_celery_task
from triggers.task import TriggerTask
from triggers.types import TaskInstance


class CeleryTaskRunner(BaseTaskRunner):
    """Sends the task to the application's Celery broker; routing, queues and priorities are Celery's."""

    name: ClassVar[str] = "celery"
    triggers__registry_key: ClassVar[str] = "celery"

    def run(self, manager: TriggerManager, task_instance: TaskInstance) -> None:
        """See `BaseTaskRunner`. Raises ValueError where Celery runs tasks at once, in the caller."""
        if current_app.conf.task_always_eager:
            raise ValueError("Celery is in eager mode: the task would wait for the lock that its caller holds")
        result = self.resolve(task_instance.config.run).apply_async(
            kwargs=self._prepare_task_kwargs(manager, task_instance),
            countdown=task_instance.cooldown or None,
            retries=task_instance.depth,
        )
        if isinstance(result, EagerResult):
            raise ValueError(  # noqa: TRY004  # it is the mode that is wrong
                f"{task_instance.name}: the task {task_instance.config.run!r} runs at once, in its caller"
            )

    def resolve(self, target: object) -> TriggerTask:
        """The task of that name, which is bound by its app. Raises ValueError, TypeError."""
        task = resolve_celery_task(str(target))
        if not isinstance(task, TriggerTask):
            raise TypeError(
                f"{type(self).__name__} runs {TriggerTask.__name__}s, {target!r} is a {type(task).__name__}"
            )
        return task
