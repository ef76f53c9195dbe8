"""`BaseTaskRunner`: the contract of task runners, which run the tasks of embedded storages."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from celery import current_app

from triggers.manager import TriggerManager
from triggers.registry import storage_backends, trigger_managers
from triggers.runners.task_lookup import resolve_celery_task
from triggers.task import TriggerTask
from triggers.types import TaskInstance


class BaseTaskRunner(ABC):
    """Base class of task runners. `TriggerManager` creates one by its key and calls `run` for scheduled instances."""

    name: ClassVar[str]
    """The key that the runner is registered under, which `using` and `default_task_runner_name` refer to."""

    @abstractmethod
    def run(self, manager: TriggerManager, task_instance: TaskInstance) -> None:
        """Accepts an instance, to be run after its `cooldown` seconds. Returns without waiting for the run.

        Called with the session's lock held, so the run cannot begin before the caller releases it. If this raises, the
        command stays in the session's outbox and is tried again later.
        """

    def resolve(self, target: object) -> TriggerTask:
        """Returns the bound task for the name of a Celery task, a task class or a task.

        Raises ValueError for an unknown name, and TypeError for anything that is not a `TriggerTask`.
        """
        if isinstance(target, str):
            target = resolve_celery_task(target)
        if isinstance(target, type) and issubclass(target, TriggerTask):
            target = target()
        if not isinstance(target, TriggerTask):
            raise TypeError(f"{type(self).__name__} runs {TriggerTask.__name__}s, not a {type(target).__name__}")
        if not target.__bound__:
            target.bind(current_app)
        return target

    @staticmethod
    def _prepare_task_kwargs(manager: TriggerManager, task_instance: TaskInstance) -> dict[str, Any]:
        """Returns the keyword arguments for `TriggerTask.run`.

        Raises UnknownKey if the class of the manager or of the storage is not registered.
        """
        storage = manager.storage
        kwargs = {
            "instance_name": task_instance.name,
            "manager_type": trigger_managers.key_of(type(manager)),
            "storage_type": storage_backends.key_of(type(storage)),
            "storage_uid": storage.uid,
            "trigger_kwargs": task_instance.call_kwargs,
            "attempt": task_instance.attempt,
        }
        arguments = storage.worker_arguments()
        return kwargs | ({"storage_arguments": arguments} if arguments else {})
