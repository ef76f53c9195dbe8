"""What a manager asks of the place where its session lives, and what applications look at there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Self

from triggers.core.commands import Decision
from triggers.core.events import Event
from triggers.core.view import SessionView
from triggers.storages.instance_collection import TaskInstanceCollection
from triggers.types import TaskConfig, TaskInstance


class Storage(ABC):
    """One session. Adapters: the storages that a process keeps itself (`BaseStorageBackend`), and `StreamStorage`.

    What is inspected (`tasks`, `instances`, `latest_kwargs`, …) is read once and kept until something is written
    through this object or `invalidate_cache` is called. A session in which nothing has happened is empty.
    """

    uid: str
    """UID of the session."""

    @abstractmethod
    def write(self, event: Event) -> Decision | None:
        """Let the event happen to the session; its position and, if it has none, its time are given here.

        The decision, where it is made at once; None: a worker makes it later. Raises CallError and TooLarge for an
        event that no worker would accept, TryAgain when it cannot be written now; what decides at once also raises
        what the engine refuses. Writing twice happens twice, unless the event has an `id`.
        """

    @abstractmethod
    def read(self, *, wait: bool = True) -> SessionView:
        """The session as it is now; with `wait`, including everything that was written through this object.

        Raises SessionNotFound while nothing has happened in it, TryAgain when it cannot be read now.
        """

    @property
    @abstractmethod
    def tasks(self) -> dict[str, TaskConfig]:
        """Name -> rule, in declaration order."""

    @property
    @abstractmethod
    def instances(self) -> TaskInstanceCollection:
        """Name -> instance, in creation order."""

    @property
    @abstractmethod
    def latest_kwargs(self) -> dict[str, Any]:
        """Trigger -> the kwargs it was fired with last; what never fired is not there."""

    @abstractmethod
    def invalidate_cache(self) -> None:
        """Forget what was read, or changed by hand and not saved; the next look reads again."""

    def refresh(self) -> None:
        """Let the next look be a new one, unless this thread holds the session's lock."""
        self.invalidate_cache()

    @abstractmethod
    def check_configuration(self, configuration: Mapping[str, Mapping[str, object]]) -> None:
        """Raise InvalidConfiguration for a valid rule that nobody could run in this storage.

        The manager calls this before it writes the configuration.
        """

    @abstractmethod
    def configuration_for(self, configuration: bytes, manager: type | None) -> bytes:
        """Return the configuration as it is written. `manager`: the manager's class if it has hooks, or None.

        Raises UnknownKey if another process has to make the manager and nobody has registered it.
        """

    @abstractmethod
    def deliver(self, run: Callable[[TaskInstance], None]) -> list[str]:
        """Hand what is in the outbox to `run`; return the names of the instances that stay there."""

    def worker_arguments(self) -> dict[str, Any]:
        """Arguments, beside the UID, with which a worker makes this storage again. JSON."""
        return {}

    def acquire_lock(
        self,
        ttl: bool | float | None = True,  # noqa: ARG002  # for storages with a lock
        block: bool = True,  # noqa: ARG002
    ) -> AbstractContextManager[Self]:
        """Keep others from writing the session during a `with` block, where the storage has no order of its own."""
        return nullcontext(self)

    @property
    def metadata(self) -> Mapping[str, Any]:
        """What the session knows beside tasks and instances."""
        return {"latest_kwargs": self.latest_kwargs}

    def __getitem__(self, instance_name: str) -> TaskInstance:
        """Raises KeyError."""
        return self.instances[instance_name]

    def __iter__(self) -> Iterator[TaskInstance]:
        return self.iter_instances()

    def iter_instances(self) -> Iterator[TaskInstance]:
        """In creation order."""
        return iter(self.instances.values())

    def instances_of_task(self, task_config: TaskConfig | str) -> dict[str, TaskInstance]:
        """Name -> instance of one task; empty if it has none or there is no such task."""
        return self.instances.get_from_task(task_config)

    def get_unresolved_instances(self) -> list[TaskInstance]:
        """Instances that something still waits for, failed ones included, in creation order."""
        return [instance for instance in self.iter_instances() if not instance.is_resolved]

    def get_unresolved_tasks(self) -> list[TaskConfig]:
        """Tasks with no instance yet, or with an unresolved one, in declaration order."""
        return [task for task in self.tasks.values() if self._is_unresolved(task)]

    def get_instances_with_unresolved_logs(self) -> list[TaskInstance]:
        """Instances whose logs want somebody to look at them, in creation order."""
        return [instance for instance in self.iter_instances() if not instance.logs_resolved]

    def debug_repr(self) -> dict[str, Any]:
        """Everything, as plain data for people."""
        return {
            "tasks": {name: task.serialize() for name, task in self.tasks.items()},
            "instances": {name: instance.serialize() for name, instance in self.instances.items()},
            "metas": dict(self.metadata),
        }

    def close(self, *_: object, **__: object) -> None:  # noqa: B027  # most have nothing to close
        """Let go of connections that this object holds."""

    def _is_unresolved(self, task: TaskConfig) -> bool:
        instances = self.instances_of_task(task).values()
        return not instances or any(not instance.is_resolved for instance in instances)
