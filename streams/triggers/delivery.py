"""From an embedded storage's outbox to the runners."""

from __future__ import annotations

import logging
from collections.abc import Callable

from triggers.core.statuses import Status
from triggers.storages.base import BaseStorageBackend
from triggers.storages.outbox import Entry
from triggers.types import TaskInstance

log = logging.getLogger(__name__)

Run = Callable[[TaskInstance], None]
"""Hands one instance to its runner; raises if that does not take it."""


def empty_outbox(storage: BaseStorageBackend, run: Run) -> list[str]:
    """Once through the outbox; names of the instances that stay there. Saves the storage, whose lock is held.

    An entry that is of no use any more goes as well.
    """
    outbox = storage.outbox
    if not outbox:
        return []
    for entry in outbox:
        instance = storage.instances.get(entry["instance"])
        if instance is None or not _is_wanted(instance, entry) or _hand_over(storage.uid, instance, entry, run):
            outbox.remove(entry)
    storage.save()
    return [entry["instance"] for entry in outbox]


def _is_wanted(instance: TaskInstance, entry: Entry) -> bool:
    return instance.status == Status.SCHEDULED and instance.attempt == entry["attempt"]


def _hand_over(uid: str, instance: TaskInstance, entry: Entry, run: Run) -> bool:
    try:
        run(instance)
    except Exception as error:
        entry["error"] = f"{type(error).__name__}: {error}"
        log.exception("session %s: the runner did not take %s; it stays in the outbox", uid, instance)
        return False
    return True
