"""`ViewStorage`: the base class of storages that read a session as a view and convert it for inspection."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NoReturn, Self

import msgspec
from typing_extensions import override

from triggers.core.config import MANAGER_NAME
from triggers.core.kwargs import join_object, split_members
from triggers.errors import NotSupported, SessionNotFound
from triggers.registry import trigger_managers
from triggers.storages.contract import Storage
from triggers.storages.session_objects import SessionObjects, TaskInstanceCollection, objects_of
from triggers.types import TaskConfig, TaskInstance


class ViewStorage(Storage):
    """Caches the objects of the last view until something is written through this storage."""

    def __init__(self) -> None:
        self._objects: SessionObjects | None = None

    @property
    def tasks(self) -> dict[str, TaskConfig]:
        return self._load_objects().tasks

    @property
    def instances(self) -> TaskInstanceCollection:
        return self._load_objects().instances

    @property
    def latest_kwargs(self) -> dict[str, Any]:
        return self._load_objects().latest_kwargs

    def invalidate_cache(self) -> None:
        self._objects = None

    def check_configuration(self, configuration: Mapping[str, Mapping[str, object]]) -> None:
        """Accepts every valid rule, because Celery workers decide what they can run."""

    @override
    def deliver(self, run: Callable[[TaskInstance], None]) -> list[str]:
        """Returns an empty list, because there is no outbox: a worker publishes the commands with the decision."""
        return []

    def configuration_for(self, configuration: bytes, manager: type | None) -> bytes:
        """Adds the key of a manager with hooks to the configuration, because another process runs the hooks.

        A key that the configuration already contains is kept.
        """
        if manager is None:
            return configuration
        key = msgspec.json.encode(trigger_managers.key_of(manager))
        return join_object({MANAGER_NAME: key} | split_members(configuration))

    @override
    def acquire_lock(self, ttl: bool | float | None = True, block: bool = True) -> AbstractContextManager[Self]:
        """Locks nothing, because the worker, or this object, applies one event after the other."""
        return nullcontext(self)

    def create_instance(self, *_: object, **__: object) -> NoReturn:
        """Raises NotSupported, like the methods below: only embedded storages can be changed by hand."""
        raise NotSupported(f"session {self.uid!r} changes by events only: fire a trigger")

    def clone_instance(self, *_: object, **__: object) -> NoReturn:
        raise NotSupported(f"session {self.uid!r} changes by events only: use manager.replay_failed_instance()")

    def update_configuration(self, *_: object, **__: object) -> NoReturn:
        raise NotSupported(f"session {self.uid!r} changes by events only: use manager.update_configuration()")

    def save(self) -> NoReturn:
        raise NotSupported(f"session {self.uid!r} changes by events only: use the manager, which saves each event")

    def _load_objects(self) -> SessionObjects:
        if self._objects is None:
            try:
                self._objects = objects_of(self.read())
            except SessionNotFound:
                self._objects = SessionObjects({}, TaskInstanceCollection(), {})
        return self._objects
