"""Triggers on Kafka: session-scoped rules that run Celery tasks, as a Kafka stream processor.

The eight hops of an event. Each has the name of its room, a folder of this package; docs/architecture.md has them all:

    1 client    fires      with manager.py, storages/
    2 codec     decodes
    3 agent     takes
    4 core      decides
    5 store     stores
    6 celery    delivers
    7 running   runs       with task.py, runners/
    8 results   reports
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if sys.version_info < (3, 11):  # noqa: UP036  # pip refuses older versions, but a copied folder gets here
    raise ImportError(f"kafka-triggers needs Python 3.11 or newer; {sys.executable} is {sys.version.split()[0]}")

from triggers.manager import TriggerManager
from triggers.registry import storage_backends, trigger_managers
from triggers.storages.base import BaseStorageBackend, BaseTriggerStorage
from triggers.storages.memory import MemoryStorage, MemoryStorageBackend
from triggers.storages.published_rules import publish_rules
from triggers.storages.stream import StreamStorage

if TYPE_CHECKING:
    from triggers.storages.cache import CacheStorageBackend

__all__ = [
    "BaseStorageBackend",
    "BaseTriggerStorage",
    "CacheStorageBackend",
    "MemoryStorage",
    "MemoryStorageBackend",
    "StreamStorage",
    "TriggerManager",
    "publish_rules",
    "storage_backends",
    "trigger_managers",
]


def __getattr__(name: str) -> object:
    """Imports `CacheStorageBackend` on first use, because its module needs Django."""
    if name != "CacheStorageBackend":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from triggers.storages.cache import CacheStorageBackend

    return CacheStorageBackend
