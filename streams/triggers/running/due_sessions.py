"""Carries out what is due in all sessions of an embedded storage, for a periodic task, a command or a cron job."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from triggers.registry import storage_backends, trigger_managers
from triggers.storages.base import BaseStorageBackend

log = logging.getLogger(__name__)


def _milliseconds() -> int:
    return time.time_ns() // 1_000_000


def run_due_sessions(
    storage: str = "cache",
    manager: str = "default",
    *,
    now: Callable[[], int] = _milliseconds,
    **storage_arguments: Any,
) -> int:
    """Calls `TriggerManager.run_due` for every session that has a due timer. Returns the number of due timers.

    `storage` and `manager` are keys in the registries, and `storage_arguments` those of the storage, such as `cache`.
    Any number of processes may call it at the same time. A session that fails is logged, and the others continue.

    Raises UnknownKey for an unknown key, and NotSupported for a storage that does not list its sessions.
    """
    backend = storage_backends.get_class(storage)
    if not issubclass(backend, BaseStorageBackend):
        return 0  # a worker of the stream watches its timers
    return sum(
        _run_session(uid, storage, manager, storage_arguments)
        for uid in backend.due_sessions(now(), **storage_arguments)
    )


def _run_session(uid: str, storage: str, manager: str, storage_arguments: dict[str, Any]) -> int:
    try:
        due: int = trigger_managers.get(manager, storage_backends.get(storage, uid, **storage_arguments)).run_due()
    except Exception:
        log.exception("session %s: what is due was not carried out; it is tried again", uid)
        return 0
    return due
