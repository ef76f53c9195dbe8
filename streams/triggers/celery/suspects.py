"""`Suspects`: the commands that a vanished Celery worker held, one of which may have killed it."""

from __future__ import annotations

from collections import deque

from triggers.celery.command_source import CommandInHand, Delivery


class Suspects:
    """Releases suspects so that the one that kills workers is found, and no other command fails for it.

    A suspect with counted runs runs without any other one: if it kills the worker, no other run is counted. Suspects
    without counted runs, which may not have started at all, run together, up to the worker's capacity.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._waiting: deque[CommandInHand] = deque()
        self._running: dict[Delivery, bool] = {}
        """Suspects that run, and whether they had counted runs."""

    def add_suspect(self, command: CommandInHand) -> None:
        """Adds a suspect. Those of a partition must be added in order."""
        self._waiting.append(command)

    def take_runnable(self) -> list[CommandInHand]:
        """Removes and returns the suspects that may run now, and counts their runs. Commit before they start."""
        runnable: list[CommandInHand] = []
        while self._waiting and self._may_run(self._waiting[0].delivery):
            command = self._waiting.popleft()
            self._running[command.delivery] = command.delivery.counted_runs > 0
            command.delivery.count_run()
            runnable.append(command)
        return runnable

    def forget(self, delivery: Delivery) -> None:
        """Removes a suspect that is settled or belongs to another worker. Ignores other commands."""
        self._running.pop(delivery, None)

    def _may_run(self, delivery: Delivery) -> bool:
        if delivery.counted_runs:
            return not self._running
        return len(self._running) < self._capacity and not any(self._running.values())
