"""The instances of a session, by name and by task."""

from __future__ import annotations

from typing import Any

from triggers.types import TaskConfig, TaskInstance


class TaskInstanceCollection(dict[str, TaskInstance]):
    """A dictionary of the instances by name, in creation order."""

    def __init__(self) -> None:
        super().__init__()
        self._of_task: dict[str, dict[str, TaskInstance]] = {}

    def get_from_task(self, task_config: TaskConfig | str) -> dict[str, TaskInstance]:
        """Returns the instances of a task by name, in creation order. The result is empty if the task has none."""
        return dict(self._of_task.get(str(task_config), {}))

    def add(self, instance: TaskInstance) -> TaskInstance:
        """Adds an instance under its name and returns it."""
        self[instance.name] = instance
        self._of_task.setdefault(instance.config.name, {})[instance.name] = instance
        return instance

    def create_instance(self, task_config: TaskConfig, name: str | None = None, **kwargs: Any) -> TaskInstance:  # noqa: ANN401  # fields
        """Adds and returns a new instance, by default the task's next one. `kwargs` are fields of `TaskInstance`."""
        number = len(self._of_task.get(task_config.name, {}))
        return self.add(TaskInstance(name=name or f"{task_config.name}#{number}", config=task_config, **kwargs))
