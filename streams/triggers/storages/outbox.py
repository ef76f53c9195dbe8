"""Commands of a saved session that no runner has accepted yet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from triggers.core.commands import Command, RunTask, SetTimer
from triggers.types import TaskInstance

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
