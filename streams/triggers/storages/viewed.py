"""Storages that show a session as a view: what applications inspect is made of it."""

from __future__ import annotations

from typing import Any

from triggers.errors import SessionNotFound
from triggers.storages.contract import Storage
from triggers.storages.instance_collection import TaskInstanceCollection
from triggers.storages.session_objects import SessionObjects, objects_of
from triggers.types import TaskConfig


class ViewedStorage(Storage):
    """Keeps the objects of the last view until something is written through it."""

    def __init__(self) -> None:
        self._objects: SessionObjects | None = None

    @property
    def tasks(self) -> dict[str, TaskConfig]:
        """See `Storage`."""
        return self._looked_at().tasks

    @property
    def instances(self) -> TaskInstanceCollection:
        """See `Storage`."""
        return self._looked_at().instances

    @property
    def latest_kwargs(self) -> dict[str, Any]:
        """See `Storage`."""
        return self._looked_at().latest_kwargs

    def invalidate_cache(self) -> None:
        """See `Storage`."""
        self._objects = None

    def _looked_at(self) -> SessionObjects:
        if self._objects is None:
            try:
                self._objects = objects_of(self.read())
            except SessionNotFound:
                self._objects = SessionObjects({}, TaskInstanceCollection(), {})
        return self._objects
