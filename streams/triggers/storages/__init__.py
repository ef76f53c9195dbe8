"""Where sessions live, as far as a `TriggerManager` is concerned: the contract and its adapters."""

from triggers.registry import storage_backends
from triggers.storages.base import BaseStorageBackend, BaseTriggerStorage

__all__ = ["BaseStorageBackend", "BaseTriggerStorage", "storage_backends"]
