"""`Cancellations`: which commands of a reader have been cancelled."""

from __future__ import annotations

from collections import deque
from typing import Final

from triggers.celery.command_source import CommandInHand, Delivery
from triggers.core.commands import CancelTask

_MAX_REMEMBERED: Final = 10_000
"""Maximum number of cancellations that are remembered for commands that come later.

The Kafka client may leave a command out at first.
"""


class Cancellations:
    """The cancellations that a reader has read.

    A cancellation is settled together with its command. If a worker dies before, the next one reads both again.
    `is_cancelled` and `take` may be called in another thread than the rest.
    """

    def __init__(self) -> None:
        self._commands: dict[str, Delivery] = {}
        self._cancelled: dict[str, None] = {}
        self._waiting: dict[Delivery, list[Delivery]] = {}
        self._new: deque[CancelTask] = deque()

    def add_command(self, command: CommandInHand) -> None:
        """Adds a command that is not settled yet."""
        self._commands[command.command.id] = command.delivery

    def add_cancellation(self, cancellation: CancelTask, delivery: Delivery) -> bool:
        """Adds a cancellation. Returns whether the command is in hand; if not, the cancellation can be settled."""
        self._remember(cancellation.id)
        command = self._commands.get(cancellation.id)
        if command is None:
            return False
        self._waiting.setdefault(command, []).append(delivery)
        self._new.append(cancellation)
        return True

    def settle(self, command: CommandInHand) -> list[Delivery]:
        """Forgets a command that is settled. Returns its cancellations, which can be settled, too."""
        if self._commands.get(command.command.id) is command.delivery:  # it may have been delivered again
            del self._commands[command.command.id]
        return self._waiting.pop(command.delivery, [])

    def is_cancelled(self, command: CommandInHand) -> bool:
        """Returns whether a command that has not begun must be dropped."""
        return command.command.id in self._cancelled

    def take(self) -> CancelTask | None:
        """Removes and returns the next cancellation of a command in hand, or None."""
        try:
            return self._new.popleft()
        except IndexError:
            return None

    def _remember(self, command_id: str) -> None:
        self._cancelled[command_id] = None
        while len(self._cancelled) > _MAX_REMEMBERED:
            del self._cancelled[next(iter(self._cancelled))]
