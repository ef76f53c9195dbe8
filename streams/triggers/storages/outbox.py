"""Commands of a saved session that no runner has accepted yet, and how they are handed over."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from triggers.core.commands import Command, RunTask, SetTimer
from triggers.core.statuses import Status
from triggers.types import TaskInstance

log = logging.getLogger(__name__)

Run = Callable[[TaskInstance], None]
"""Hands one instance to its runner; raises if the runner does not accept it."""
Entry = dict[str, Any]
"""`instance`, `attempt`, and the `error` of the last try, if there was one."""


class Outbox:
    """Kept with the session, so a command outlives a runner that is down and a process that dies.

    An entry is removed after its runner has accepted it. A death in between repeats the command, under the same
    attempt: its second result is stale.
    """

    def __init__(self, entries: list[Entry]) -> None:
        """`entries`: a list in the session's metadata, which is changed in place."""
        self._entries = entries

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(list(self._entries))

    def add(self, commands: Iterable[Command], instances: Mapping[str, TaskInstance]) -> None:
        """Put in what is to be run, now or after a cooldown; nobody watches other timers here."""
        for command in commands:
            if isinstance(command, RunTask) or _is_cooldown(command, instances):
                self._entries.append({"instance": command.instance, "attempt": command.attempt})

    def remove(self, entry: Entry) -> None:
        """Its runner has it, or it is of no use any more."""
        self._entries.remove(entry)


def _is_cooldown(timer: SetTimer, instances: Mapping[str, TaskInstance]) -> bool:
    instance = instances.get(timer.instance)
    return instance is not None and instance.engine.get("due") == timer.due


def empty_outbox(
    uid: str, outbox: Outbox, instances: Mapping[str, TaskInstance], run: Run, save: Callable[[], None]
) -> list[str]:
    """Try every entry once and save the session; return the names of the instances that stay in the outbox.

    The session's lock must be held. An entry whose instance was replaced or resolved meanwhile is removed as well.
    """
    if not outbox:
        return []
    for entry in outbox:
        instance = instances.get(entry["instance"])
        if instance is None or not _is_wanted(instance, entry) or _hand_over(uid, instance, entry, run):
            outbox.remove(entry)
    save()
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
