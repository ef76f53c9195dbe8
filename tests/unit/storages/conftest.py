"""Fixtures: a runner that a test can make fail, and a manager on the storage in memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import pytest

from triggers import MemoryStorageBackend, TriggerManager
from triggers.registry import task_runners
from triggers.runners import BaseTaskRunner
from triggers.types import TaskInstance


@task_runners.register("recording")
class RecordingRunner(BaseTaskRunner):
    """Records the instances that it accepts. Raises for those in `refused`."""

    name: ClassVar[str] = "recording"
    taken: ClassVar[list[str]] = []
    refused: ClassVar[set[str]] = set()

    def run(self, manager: TriggerManager, task_instance: TaskInstance) -> None:  # noqa: ARG002  # nothing runs
        if {"*", task_instance.name} & self.refused:
            raise ConnectionError("the runner is down")
        self.taken.append(task_instance.name)


class RecordingManager(TriggerManager):
    default_task_runner_name = "recording"


@pytest.fixture
def runner() -> Iterator[type[RecordingRunner]]:
    RecordingRunner.taken.clear()
    RecordingRunner.refused.clear()
    yield RecordingRunner
    MemoryStorageBackend.clear()


@pytest.fixture
def manager(runner: type[RecordingRunner]) -> TriggerManager:  # noqa: ARG001  # it is the default one
    return RecordingManager(MemoryStorageBackend("s1"))
