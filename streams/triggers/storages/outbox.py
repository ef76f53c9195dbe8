"""The outbox of an embedded storage: commands that are saved and that no runner has accepted yet."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import msgspec

from triggers.core.commands import Command, RunTask, SetTimer
from triggers.core.statuses import Status
from triggers.redaction import without_secrets
from triggers.types import TaskInstance

log = logging.getLogger(__name__)

_decode = msgspec.json.Decoder().decode

Run = Callable[[TaskInstance], None]
"""Hands an instance to its runner. Raises if the runner does not accept it."""
Entry = dict[str, Any]
"""An entry with the keys `instance`, `attempt`, in edition 2 `kwargs`, and, if the runner has raised, `error`."""


class Outbox:
    """The outbox of one session. It is saved with the session, so a command survives a crash of the process.

    An entry is removed after its runner has accepted it. If the process is killed in between, the command is handed
    over twice, with the same attempt, and its second result is stale.
    """

    def __init__(self, entries: list[Entry]) -> None:
        """`entries` is the list in the session's metadata; it is changed in place."""
        self._entries = entries

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(list(self._entries))

    def add_commands(
        self, commands: Iterable[Command], instances: Mapping[str, TaskInstance], *, with_kwargs: bool
    ) -> None:
        """Adds the commands that run a task, now or, in edition 1, after a cooldown, for which the runner waits.

        `with_kwargs` keeps the kwargs of the command: in edition 2, those of the instance do not determine them.
        """
        for command in commands:
            if isinstance(command, RunTask) or _is_cooldown(command, instances):
                kwargs = {"kwargs": _decode(command.kwargs)} if with_kwargs and isinstance(command, RunTask) else {}
                self._entries.append({"instance": command.instance, "attempt": command.attempt} | kwargs)

    def remove_entry(self, entry: Entry) -> None:
        """Removes an entry that its runner has accepted or that is out of date."""
        self._entries.remove(entry)


def _is_cooldown(timer: SetTimer, instances: Mapping[str, TaskInstance]) -> bool:
    instance = instances.get(timer.instance)
    return instance is not None and not timer.kind and instance.engine.get("due") == timer.due


def deliver_entries(
    uid: str, outbox: Outbox, instances: Mapping[str, TaskInstance], run: Run, save: Callable[[], None]
) -> list[str]:
    """Tries every entry once and saves the session. Returns the names of the instances that stay in the outbox.

    The caller must hold the session's lock. An entry whose instance was replayed or resolved meanwhile is removed.
    """
    if not outbox:
        return []
    for entry in outbox:
        instance = instances.get(entry["instance"])
        if instance is None or not _is_current(instance, entry) or _run_entry(uid, instance, entry, run):
            outbox.remove_entry(entry)
    save()
    return [entry["instance"] for entry in outbox]


def _is_current(instance: TaskInstance, entry: Entry) -> bool:
    return instance.status == Status.SCHEDULED and instance.attempt == entry["attempt"]


def _run_entry(uid: str, instance: TaskInstance, entry: Entry, run: Run) -> bool:
    if "kwargs" in entry:
        instance.engine["call"] = entry["kwargs"]
    try:
        run(instance)
    except Exception as error:
        entry["error"] = f"{type(error).__name__}: {without_secrets(str(error))}"
        log.exception("session %s: the runner did not accept %s, which stays in the outbox", uid, instance)
        return False
    return True
