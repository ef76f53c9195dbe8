"""The commands that a fold issues and whose results the log does not have."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from triggers.core.commands import CancelTask, RunTask
from triggers.core.decision import Decision
from triggers.core.events import Event, TaskEvent, TaskStarted
from triggers.core.state.session import Session
from triggers.core.statuses import IN_FLIGHT
from triggers.errors import InstanceNotFound

_SWEPT_AT: Final = 20_000


class UnfinishedCommands:
    """Collects commands, and forgets those that are finished or superseded."""

    def __init__(self, load_session: Callable[[str], Session]) -> None:
        self._load_session = load_session
        self._commands: dict[str, RunTask] = {}
        self._sweep_at = _SWEPT_AT

    def follow(self, uid: str, event: Event, decision: Decision) -> None:
        """Adds the commands of a decision, and removes that of the attempt that the event is the result of."""
        if self._commands and isinstance(event, TaskEvent) and not isinstance(event, TaskStarted):
            self._commands.pop(f"{uid}/{event.instance}/{event.attempt}", None)
        if decision.cancels:
            self._remove(decision.cancels)
        for command in decision.commands:
            if isinstance(command, RunTask):
                self._commands[command.id] = command
        if len(self._commands) >= self._sweep_at:
            self._commands = self._wanted()
            self._sweep_at = max(_SWEPT_AT, 2 * len(self._commands))

    def remaining(self) -> Iterator[RunTask]:
        """Yields the commands whose attempts are scheduled or running, in the order in which they were issued."""
        return iter(self._wanted().values())

    def _wanted(self) -> dict[str, RunTask]:
        """Returns the commands that `remaining` yields, by id. Reads each session once."""
        by_session: dict[str, list[str]] = {}
        for command_id, command in self._commands.items():
            by_session.setdefault(command.session, []).append(command_id)
        wanted: set[str] = set()
        for uid, ids in by_session.items():
            session = self._load_session(uid)
            wanted.update([each for each in ids if _is_wanted(session, self._commands[each])])
        return {command_id: command for command_id, command in self._commands.items() if command_id in wanted}

    def _remove(self, cancels: Iterable[CancelTask]) -> None:
        for cancel in cancels:
            self._commands.pop(cancel.id, None)


def _is_wanted(session: Session, command: RunTask) -> bool:
    try:
        instance = session.instances.find(command.instance).instance
    except InstanceNotFound:
        return False
    return instance.attempt == command.attempt and instance.status in IN_FLIGHT
