"""Storages: where a session lives. `TriggerManager` calls the contract `Storage`; the other modules implement it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from triggers.registry import storage_backends
from triggers.storages.base import BaseStorageBackend, BaseTriggerStorage, TaskInstanceCollection

if TYPE_CHECKING:
    from triggers.storages.cache import CacheStorageBackend

__all__ = [
    "BaseStorageBackend",
    "BaseTriggerStorage",
    "CacheStorageBackend",
    "TaskInstanceCollection",
    "storage_backends",
]


def __getattr__(name: str) -> object:
    """Imports `CacheStorageBackend` on first use, because its module needs Django."""
    if name != "CacheStorageBackend":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from triggers.storages.cache import CacheStorageBackend

    return CacheStorageBackend
