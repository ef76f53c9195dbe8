"""`CeleryTaskRunner`: runs the tasks of embedded storages on Celery workers."""

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
    """Sends tasks to the application's Celery broker. Celery's settings decide about routing, queues and priorities."""

    name: ClassVar[str] = "celery"
    triggers__registry_key: ClassVar[str] = "celery"

    def run(self, manager: TriggerManager, task_instance: TaskInstance) -> None:
        """Sends the task. Raises ValueError if Celery would run it in the calling thread."""
        if current_app.conf.task_always_eager:
            raise ValueError(
                "Celery's setting task_always_eager is on, so the task would wait for the lock that its caller holds:"
                " use the threading runner for tests"
            )
        result = self.resolve(task_instance.config.run).apply_async(
            kwargs=self._prepare_task_kwargs(manager, task_instance),
            countdown=task_instance.cooldown or None,
            retries=task_instance.depth,
        )
        if isinstance(result, EagerResult):
            raise ValueError(  # noqa: TRY004  # the mode is wrong, not a type
                f"{task_instance.name}: the task {task_instance.config.run!r} ran in the calling thread"
            )

    def resolve(self, target: object) -> TriggerTask:
        """Returns the registered task of that name. Raises ValueError if there is none, TypeError for other tasks."""
        task = resolve_celery_task(str(target))
        if not isinstance(task, TriggerTask):
            raise TypeError(
                f"{type(self).__name__} runs {TriggerTask.__name__}s only, but {target!r} is a {type(task).__name__}"
            )
        return task
