"""What a `TriggerManager` talks to: the contract of a storage and its adapters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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


def __getattr__(name: str) -> Any:  # noqa: ANN401  # a class that is not imported yet
    """CacheStorageBackend brings Django with it, so it is imported when it is asked for."""
    if name != "CacheStorageBackend":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from triggers.storages.cache import CacheStorageBackend  # noqa: PLC0415  # it brings Django

    return CacheStorageBackend
