"""`Storage`: the contract between a `TriggerManager` and the storage of its session."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, Self

from triggers.core.decision import Decision
from triggers.core.events import Event
from triggers.core.view import SessionView
from triggers.storages.due_timers import RecordEvent, Written
from triggers.storages.session_objects import TaskInstanceCollection
from triggers.types import TaskConfig, TaskInstance


class Storage(ABC):
    """The storage of one session. `TriggerManager` writes through it; applications inspect the session with it.

    `BaseStorageBackend` implements it for embedded storages, `StreamStorage` for the stream. What is inspected
    (`tasks`, `instances`, `latest_kwargs`) is read once and cached until something is written through this object or
    `invalidate_cache` is called. A session without events is empty.
    """

    uid: str
    """UID of the session."""

    @abstractmethod
    def write(self, event: Event) -> Decision | None:
        """Writes an event to the session and assigns its position and, if it has none, its time. Blocks.

        Returns the decision if the storage decides at once, or None if a worker decides later. Writing an event twice
        applies it twice, unless it has an `id`.

        Raises CallError or TooLarge for an event that no worker would accept, and TryAgain if it cannot be written now.
        A storage that decides at once also raises the errors with which the engine refuses an event.
        """

    @abstractmethod
    def read(self, *, wait: bool = True) -> SessionView:
        """Returns the current session. With `wait`, it includes everything that was written through this object.

        Blocks. Raises SessionNotFound if the session has no events, and TryAgain if it cannot be read now.
        """

    @property
    @abstractmethod
    def tasks(self) -> dict[str, TaskConfig]:
        """The session's rules by task name, in declaration order."""

    @property
    @abstractmethod
    def instances(self) -> TaskInstanceCollection:
        """The session's instances by name, in creation order."""

    @property
    @abstractmethod
    def latest_kwargs(self) -> dict[str, Any]:
        """The kwargs that each trigger was last fired with. Triggers that were never fired are missing."""

    @abstractmethod
    def invalidate_cache(self) -> None:
        """Discards what was read, including changes by hand that are not saved. The next access reads the session."""

    def refresh(self) -> None:
        """Makes the next access read the session again, unless this thread holds the session's lock."""
        self.invalidate_cache()

    @abstractmethod
    def check_configuration(self, configuration: Mapping[str, Mapping[str, object]]) -> None:
        """Raises InvalidConfiguration for a rule that is valid but cannot be run in this storage.

        The manager calls this before it writes the configuration.
        """

    @abstractmethod
    def configuration_for(self, configuration: bytes, manager: type | None) -> bytes:
        """Returns the configuration as the manager must write it. `manager` is the manager's class if it has hooks.

        Raises UnknownKey if another process must create the manager to run its hooks and its class is not registered.
        """

    @abstractmethod
    def deliver(self, run: Callable[[TaskInstance], None]) -> list[str]:
        """Passes every instance in the outbox to `run`. Returns the names of those for which `run` raised."""

    def write_due(self, record: RecordEvent) -> Written:  # noqa: ARG002  # for storages that no worker watches
        """Passes the event of each timer that is due to `record`, by due time; returns the events and their decisions.

        Does nothing if a worker publishes the timers.
        """
        return []

    def worker_arguments(self) -> dict[str, Any]:
        """Returns the JSON keyword arguments, besides the UID, with which a worker creates this storage again."""
        return {}

    @abstractmethod
    def acquire_lock(self, ttl: bool | float | None = True, block: bool = True) -> AbstractContextManager[Self]:
        """Locks the session during a `with` block. Does nothing if the storage orders the events itself."""

    @property
    def metadata(self) -> Mapping[str, Any]:
        """The session's state besides its tasks and instances."""
        return {"latest_kwargs": self.latest_kwargs}

    def __getitem__(self, instance_name: str) -> TaskInstance:
        """Returns the instance of that name. Raises KeyError."""
        return self.instances[instance_name]

    def __iter__(self) -> Iterator[TaskInstance]:
        return self.iter_instances()

    def iter_instances(self) -> Iterator[TaskInstance]:
        """Iterates over the instances in creation order."""
        return iter(self.instances.values())

    def instances_of_task(self, task_config: TaskConfig | str) -> dict[str, TaskInstance]:
        """Returns the instances of a task by name. The result is empty if the task has none or does not exist."""
        return self.instances.get_from_task(task_config)

    def get_unresolved_instances(self) -> list[TaskInstance]:
        """Returns the unresolved instances, including failed ones, in creation order."""
        return [instance for instance in self.iter_instances() if not instance.is_resolved]

    def get_unresolved_tasks(self) -> list[TaskConfig]:
        """Returns the tasks with no instance yet or with an unresolved one, in declaration order.

        An optional task of edition 2 without an instance is not among them.
        """
        return [task for task in self.tasks.values() if self._is_unresolved(task)]

    def get_instances_with_unresolved_logs(self) -> list[TaskInstance]:
        """Returns the instances whose logs are neither harmless nor marked as resolved, in creation order."""
        return [instance for instance in self.iter_instances() if not instance.logs_resolved]

    def debug_repr(self) -> dict[str, Any]:
        """Returns the whole session as plain data, for people to read."""
        return {
            "tasks": {name: task.serialize() for name, task in self.tasks.items()},
            "instances": {name: instance.serialize() for name, instance in self.instances.items()},
            "metas": dict(self.metadata),
        }

    def close(self, *_: object, **__: object) -> None:  # noqa: B027  # most have nothing to close
        """Closes the connections of this object. Most storages have none."""

    def _is_unresolved(self, task: TaskConfig) -> bool:
        instances = self.instances_of_task(task).values()
        if not instances:
            return not task.is_optional
        return any(not instance.is_resolved for instance in instances)
