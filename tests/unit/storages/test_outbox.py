"""The outbox never loses a command of a saved session."""

from __future__ import annotations

import pytest
from tests.unit.storages.conftest import RecordingManager, RecordingRunner

from triggers import MemoryStorageBackend, TriggerManager
from triggers.core.events import TaskFailed, TaskFinished, TaskStarted

RULES = {"t_a": {"after": ["a"], "run": "app.A"}, "t_b": {"after": ["a"], "run": "app.B"}}


def again() -> TriggerManager:
    """Returns a manager as another process would create it."""
    return RecordingManager(MemoryStorageBackend("s1"))


def statuses(manager: TriggerManager) -> dict[str, str]:
    manager.storage.refresh()
    return {instance.name: instance.status for instance in manager.storage}


def test_a_runner_that_is_down_does_not_fail_the_fire_and_gets_the_command_later(
    manager: TriggerManager, runner: type[RecordingRunner]
) -> None:
    manager.update_configuration(RULES)
    runner.refused.add("*")
    manager.fire("a")
    assert statuses(again()) == {"t_a#0": "scheduled", "t_b#0": "scheduled"}
    assert runner.taken == []

    runner.refused.clear()
    again().fire("whatever")

    assert runner.taken == ["t_a#0", "t_b#0"]
    assert again().deliver() == []


def test_a_refused_command_does_not_hold_up_the_others(manager: TriggerManager, runner: type[RecordingRunner]) -> None:
    manager.update_configuration(RULES)
    runner.refused.add("t_a#0")

    manager.fire("a")

    assert runner.taken == ["t_b#0"]
    storage = MemoryStorageBackend("s1")
    assert [(entry["instance"], entry["error"]) for entry in storage.outbox] == [
        ("t_a#0", "ConnectionError: the runner is down")
    ]


def test_deliver_hands_over_waiting_commands_and_names_those_that_stay(
    manager: TriggerManager, runner: type[RecordingRunner]
) -> None:
    manager.update_configuration(RULES)
    runner.refused.add("*")
    manager.fire("a")
    runner.refused = {"t_b#0"}

    assert again().deliver() == ["t_b#0"]
    assert again().deliver() == ["t_b#0"]

    assert runner.taken == ["t_a#0"]
    runner.refused = set()


def test_an_instance_that_ran_anyway_is_not_handed_over_again(
    manager: TriggerManager, runner: type[RecordingRunner]
) -> None:
    manager.update_configuration({"t_a": RULES["t_a"]})
    runner.refused.add("*")
    manager.fire("a")
    runner.refused.clear()

    MemoryStorageBackend("s1").write(TaskStarted(instance="t_a#0", attempt=1))

    assert again().deliver() == []
    assert runner.taken == []


def test_a_finished_task_stays_finished_when_the_runner_is_down_during_its_cascade(
    manager: TriggerManager, runner: type[RecordingRunner]
) -> None:
    manager.update_configuration({"t_a": RULES["t_a"], "t_b": {"after": ["t_a"], "run": "app.B"}})
    manager.fire("a")
    runner.refused.add("*")

    manager.record(TaskStarted(instance="t_a#0", attempt=1))
    manager.record(TaskFinished(instance="t_a#0", attempt=1, result=b'{"n": 1}'))

    assert statuses(again()) == {"t_a#0": "finished", "t_b#0": "scheduled"}
    with pytest.raises(ValueError, match="cannot be replayed"):
        again().replay_failed_instance("t_a#0")


def test_a_replay_while_the_runner_is_down_keeps_its_own_kwargs(
    manager: TriggerManager, runner: type[RecordingRunner]
) -> None:
    manager.update_configuration({"t_a": RULES["t_a"]})
    manager.fire("a", {"n": 1})
    manager.record(TaskFailed(instance="t_a#0", attempt=1, exception_type="app.Broken"))
    runner.refused.add("*")

    manager.replay_failed_instance("t_a#0", {})
    manager.fire("a", {"n": 2})

    assert statuses(again()) == {"t_a#0": "replayed", "t_a#1": "scheduled"}
    assert again().storage["t_a#1"].kwargs == {}
