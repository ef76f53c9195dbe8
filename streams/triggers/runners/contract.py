"""What runs the tasks of embedded storages."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from celery import current_app

from triggers.itertools import merge_dict_recursive
from triggers.manager import TriggerManager
from triggers.registry import storage_backends, trigger_managers
from triggers.runners.task_lookup import resolve_celery_task
from triggers.task import TriggerTask
from triggers.types import TaskInstance


class BaseTaskRunner(ABC):
    """Hands one instance to whatever runs it."""

    name: ClassVar[str]
    """The key it is registered under: what `using` and `default_task_runner_name` say."""

    @abstractmethod
    def run(self, manager: TriggerManager, task_instance: TaskInstance) -> None:
        """Accept the instance to be run, after its `cooldown` seconds, and return without waiting for it.

        Called with the session's lock held: the run begins when it is free. Whatever is raised leaves the command in
        the session's outbox.
        """

    def resolve(self, target: object) -> TriggerTask:
        """A bound task of a Celery task's name, a task class or a task. Raises ValueError, TypeError."""
        if isinstance(target, str):
            target = resolve_celery_task(target)
        if isinstance(target, type) and issubclass(target, TriggerTask):
            target = target()
        if not isinstance(target, TriggerTask):
            raise TypeError(f"{type(self).__name__} runs {TriggerTask.__name__}s, this is a {type(target).__name__}")
        if not target.__bound__:
            target.bind(current_app)
        return target

    @staticmethod
    def _prepare_task_kwargs(manager: TriggerManager, task_instance: TaskInstance) -> dict[str, Any]:
        """Keyword arguments for `TriggerTask.run`. Raises UnknownKey for a manager or storage nobody registered."""
        storage = manager.storage
        kwargs = {
            "instance_name": task_instance.name,
            "manager_type": trigger_managers.key_of(type(manager)),
            "storage_type": storage_backends.key_of(type(storage)),
            "storage_uid": storage.uid,
            "trigger_kwargs": merge_dict_recursive(task_instance.config.with_params, task_instance.kwargs),
            "attempt": task_instance.attempt,
        }
        arguments = storage.worker_arguments()
        return kwargs | ({"storage_arguments": arguments} if arguments else {})
