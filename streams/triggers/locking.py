"""Locks of embedded sessions. A public module of the Triggers framework.

The stream needs no locks, because every session has a single writer.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from triggers.errors import LockAcquisitionFailed, NotSupported
from triggers.storages.lockable import Lockable

if TYPE_CHECKING:
    from triggers.storages.cache_locks import acquire_lock, resolve_cache

__all__ = ["LockAcquisitionFailed", "Lockable", "NotSupported", "acquire_lock", "resolve_cache"]


def __getattr__(name: str) -> object:
    """Imports the functions for Django's caches on first use, because their module needs Django."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("triggers.storages.cache_locks"), name)
