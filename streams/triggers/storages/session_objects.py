"""Converts a view of a session into the objects that applications inspect."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
from msgspec import Raw

from triggers.core.statuses import Status
from triggers.core.view import InstanceView, SessionView, TaskView
from triggers.types import TaskConfig, TaskInstance

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC).replace(tzinfo=None)


HELD_BY_OBJECTS: Final = frozenset({"timestamps", "depth", "parent"})
"""Keys of an object's metadata that are fields of the engine's instance. Metadata of the application that has such a
name stays in the session and is not in the object."""

_decode = msgspec.json.Decoder().decode


class SessionObjects:
    """The tasks, instances and latest kwargs of one session at one moment."""

    def __init__(
        self, tasks: dict[str, TaskConfig], instances: TaskInstanceCollection, latest_kwargs: dict[str, Any]
    ) -> None:
        self.tasks = tasks
        self.instances = instances
        self.latest_kwargs = latest_kwargs


def objects_of(session: SessionView) -> SessionObjects:
    """Returns the objects of all tasks and instances in the view."""
    tasks = {task.name: _task(task, session.edition) for task in session.tasks}
    instances = TaskInstanceCollection()
    for sequence, instance in enumerate(session.instances):
        config = tasks.get(instance.task) or removed_task(instance.task, session.edition)
        instances.add(_instance(instance, config, sequence))
    return SessionObjects(tasks, instances, _plain(session.latest_kwargs))


def removed_task(name: str, edition: int = 1) -> TaskConfig:
    """Returns a stand-in for a task that a later version of published rules has removed; its instances remain."""
    config = TaskConfig(name, [], "")
    config.edition = edition
    return config


def moment(milliseconds: int) -> datetime:
    """Returns milliseconds since 1970 as a naive datetime in UTC, as the framework stores its timestamps."""
    return _EPOCH + timedelta(milliseconds=milliseconds)


def milliseconds(when: object) -> int:
    """Returns the milliseconds since 1970 of a datetime or its ISO text. Raises ValueError for any other text."""
    parsed = when if isinstance(when, datetime) else datetime.fromisoformat(str(when))
    naive = parsed if parsed.tzinfo is None else parsed.astimezone(UTC).replace(tzinfo=None)
    return (naive - _EPOCH) // timedelta(milliseconds=1)


def _task(task: TaskView, edition: int) -> TaskConfig:
    config = TaskConfig(
        task.name, task.after, task.run, task.unless, task.using, _decode(task.with_params), task.and_every
    )
    config.edition = edition
    config.extra = _plain(task.extra)  # of edition 2, it has conditions under the names of directives
    return config


def _instance(instance: InstanceView, config: TaskConfig, sequence: int) -> TaskInstance:
    scheduled = instance.timestamps.get(Status.SCHEDULED, instance.created)
    engine = {
        "sequence": sequence,
        "attempt": instance.attempt,
        "cooldown": (instance.due - scheduled) / 1000 if instance.due else 0,
    }
    return TaskInstance(
        instance.name,
        config,
        instance.status,
        _metadata(instance),
        _plain(instance.kwargs),
        instance.abandon_state,
        engine=engine,
    )


def _metadata(instance: InstanceView) -> dict[str, Any]:
    ancestors = {"depth": instance.depth, "parent": instance.parent} if instance.depth else {}
    stamps = {"created": instance.created, "lastModified": instance.modified} | instance.timestamps
    shown = {key: value for key, value in instance.metadata.items() if key not in HELD_BY_OBJECTS}
    return _plain(shown) | ancestors | {"timestamps": {key: moment(stamps[key]) for key in stamps}}


def _plain(payloads: dict[str, Raw]) -> dict[str, Any]:
    return {name: _decode(payload) for name, payload in payloads.items()}


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

    def create_instance(self, task_config: TaskConfig, name: str | None = None, **kwargs: Any) -> TaskInstance:
        """Adds and returns a new instance, by default the task's next one. `kwargs` are fields of `TaskInstance`."""
        number = len(self._of_task.get(task_config.name, {}))
        return self.add(TaskInstance(name=name or f"{task_config.name}#{number}", config=task_config, **kwargs))
