"""Locks of embedded sessions. A public module of the Triggers framework.

The stream needs no locks, because every session has a single writer.
"""

from __future__ import annotations

from typing import Any

from triggers.errors import LockAcquisitionFailed, NotSupported
from triggers.storages.lockable import Lockable

__all__ = ["LockAcquisitionFailed", "Lockable", "NotSupported", "acquire_lock", "resolve_cache"]  # noqa: F822  # lazy


def __getattr__(name: str) -> Any:  # noqa: ANN401  # functions of a module that needs Django
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from triggers.storages import cache_locks  # noqa: PLC0415

    return getattr(cache_locks, name)
