"""Commands that were in the hands of a worker that vanished: one of them may be what took it down."""

from __future__ import annotations

from collections import deque

from triggers.celery.command_source import CommandInHand, Delivery


class Suspects:
    """Hands out suspects so that the culprit is found and no bystander is blamed.

    One that was running when a worker was lost runs without any other of its kind. The rest, which may not have begun
    at all, share the worker's room.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._waiting: deque[CommandInHand] = deque()
        self._running: dict[Delivery, bool] = {}

    def add_suspect(self, command: CommandInHand) -> None:
        """Another one, in the order of its partition."""
        self._waiting.append(command)

    def take_runnable(self) -> list[CommandInHand]:
        """Those that may run now. Their runs are counted in the ledger: commit that before they do."""
        begun: list[CommandInHand] = []
        while self._waiting and self._may_run(self._waiting[0].delivery):
            command = self._waiting.popleft()
            self._running[command.delivery] = command.delivery.counted_runs > 0
            command.delivery.count_run()
            begun.append(command)
        return begun

    def forget(self, delivery: Delivery) -> None:
        """It is settled, or somebody else's now."""
        self._running.pop(delivery, None)

    def _may_run(self, delivery: Delivery) -> bool:
        if delivery.counted_runs and any(self._running.values()):
            return False
        return len(self._running) < self._capacity
