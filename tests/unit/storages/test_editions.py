"""Which storages have sessions with rules of edition 2."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.storages.conftest import RecordingRunner

from triggers import MemoryStorage, TriggerManager
from triggers.core.commands import RunTask, SetTimer
from triggers.core.events import TimerFired
from triggers.errors import InvalidConfiguration

RULES: dict[str, Any] = {"$edition": 2, "t_a": {"after": [{"any": ["card", "cash"]}], "run": "app.A", "delay": "10s"}}


def test_an_embedded_storage_refuses_edition_2_and_stays_as_it_was(
    manager: TriggerManager,
    runner: type[RecordingRunner],  # noqa: ARG001  # it is the default one
) -> None:
    manager.update_configuration({"t_a": {"after": ["card"], "run": "app.A"}})

    with pytest.raises(InvalidConfiguration, match="this storage stores sessions of edition 1 only"):
        manager.update_configuration(RULES)
    assert manager.storage.tasks["t_a"].after == {"card"}


def test_the_memory_storage_decides_by_edition_2_and_a_test_fires_its_timers() -> None:
    storage = MemoryStorage("s1", now=lambda: 1_000)
    manager = TriggerManager(storage)
    manager.update_configuration(RULES)
    manager.fire("cash")

    [timer] = storage.commands
    assert isinstance(timer, SetTimer)
    assert (timer.kind, timer.due) == ("delay", 11_000)

    storage.write(
        TimerFired(instance=timer.instance, attempt=timer.attempt, due=timer.due, kind=timer.kind, time=timer.due)
    )
    assert [command.instance for command in storage.commands if isinstance(command, RunTask)] == ["t_a#0"]
