"""Which storages have sessions with rules of edition 2, and who carries out what is due in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any
from uuid import uuid4

import pytest
from tests.unit.storages.conftest import RecordingManager, RecordingRunner

from triggers import CacheStorageBackend, MemoryStorage, MemoryStorageBackend, TriggerManager
from triggers.core.commands import RunTask, SetTimer
from triggers.core.config import compile_plan
from triggers.core.events import TaskFailed, TaskStarted
from triggers.core.plan import Plan
from triggers.errors import InvalidConfiguration, NotSupported
from triggers.registry import trigger_managers
from triggers.running.due_sessions import run_due_sessions
from triggers.storages.base import BaseStorageBackend

RULES: dict[str, Any] = {"$edition": 2, "t_a": {"after": [{"any": ["card", "cash"]}], "run": "app.A", "delay": "10s"}}
START = 1_000_000


def edition_2(**rules: dict[str, Any]) -> dict[str, Any]:
    return {"$edition": 2, **rules}


class Clock:
    """The time of every storage that `make` returns."""

    def __init__(self) -> None:
        self.now = START
        self.uid = uuid4().hex

    def make(self, kind: type[BaseStorageBackend] = MemoryStorageBackend) -> TriggerManager:
        """A manager as another process would create it."""
        storage = kind(self.uid)
        storage._now = lambda: self.now  # type: ignore[method-assign]  # the test sets the time
        return RecordingManager(storage)


@pytest.fixture
def clock(runner: type[RecordingRunner]) -> Clock:  # noqa: ARG001  # it is the default one
    return Clock()


def test_a_delay_is_over_when_somebody_runs_what_is_due(clock: Clock, runner: type[RecordingRunner]) -> None:
    clock.make().update_configuration(RULES)
    clock.make().fire("cash", {"amount": 3})
    clock.now += 9_999
    assert clock.make().run_due() == 0

    clock.now += 1

    assert (clock.make().run_due(), clock.make().run_due()) == (1, 0)
    assert runner.taken == ["t_a#0"]


def test_rules_are_compiled_once_for_all_events_of_all_sessions(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[bytes] = []

    def count(text: bytes) -> Plan:
        compiled.append(text)
        return compile_plan(text)

    monkeypatch.setattr("triggers.core.state.plans.compile_plan", count)
    rules: dict[str, Any] = {"$edition": 2, "t_unique": {"after": ["a", {"trigger": "b", "count": 2}], "run": "app.A"}}

    for _ in range(3):
        clock.uid = uuid4().hex
        clock.make().update_configuration(rules)
        for trigger in ("b", "a", "b"):
            clock.make().fire(trigger)

    assert len(compiled) == 1


def test_a_session_of_edition_1_continues_in_edition_2(clock: Clock) -> None:
    clock.make().update_configuration({"t_old": {"after": ["card", "cash"], "run": "app.Old"}})
    clock.make().fire("card", {"n": 1})

    clock.make().update_configuration(RULES)
    clock.make().fire("cash", {"n": 2})

    storage = clock.make().storage
    assert {each.name: each.status for each in storage} == {"t_old#0": "scheduled", "t_a#0": "delayed"}
    assert storage["t_old#0"].kwargs == {"card": {"n": 1}, "cash": {"n": 2}}
    assert storage.tasks["t_a"].serialize()["after"] == [{"any": ["card", "cash"]}]


def test_a_failed_attempt_is_tried_again_by_the_rule(clock: Clock, runner: type[RecordingRunner]) -> None:
    retry = {"attempts": 2, "wait": "30s", "jitter": 0}
    clock.make().update_configuration(edition_2(t_a={"after": ["a"], "run": "app.A", "retry": retry}))
    clock.make().fire("a")
    clock.make().record(TaskStarted(instance="t_a#0", attempt=1))
    clock.make().record(TaskFailed(instance="t_a#0", attempt=1, exception_type="app.Busy"))
    assert runner.taken == ["t_a#0"]

    clock.now += 30_000
    clock.make().run_due()

    assert runner.taken == ["t_a#0", "t_a#0"]
    assert clock.make().storage["t_a#0"].attempt == 2


def test_attempts_of_edition_1_are_overdue_too(clock: Clock, runner: type[RecordingRunner]) -> None:
    rule = {"after": ["a"], "run": "app.A", "timeouts": {"scheduled": 60, "attempts": 2}}
    clock.make().update_configuration({"t_a": rule})
    clock.make().fire("a")

    for _ in range(2):
        clock.now += 60_000
        clock.make().run_due()

    assert runner.taken == ["t_a#0", "t_a#0"]
    assert clock.make().storage["t_a#0"].metadata["exceptionType"] == "triggers.TimedOut"


def test_arguments_that_a_rule_makes_reach_the_runner(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are those of the command; the kwargs of the instance do not determine them."""
    calls: list[dict[str, Any]] = []
    monkeypatch.setattr(RecordingRunner, "run", lambda _self, _manager, instance: calls.append(instance.call_kwargs))
    rule = {"after": ["a"], "run": "app.mail", "with": {"to": "on.a.email", "template": "'reminder'"}}
    clock.make().update_configuration(edition_2(t_mail=rule))

    clock.make().fire("a", {"email": "x@example.org"})

    assert calls == [{"to": "x@example.org", "template": "reminder"}]


def test_a_command_that_is_cancelled_in_the_outbox_is_not_handed_over(
    clock: Clock, runner: type[RecordingRunner]
) -> None:
    rule = {"after": ["a"], "run": "app.A", "cancelOn": ["stop"]}
    clock.make().update_configuration(edition_2(t_a=rule))
    runner.refused.add("*")
    clock.make().fire("a")
    clock.make().fire("stop")
    runner.refused.clear()

    assert clock.make().deliver() == []
    assert runner.taken == []
    assert clock.make().storage["t_a#0"].status == "cancelled"


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        ({"t_a": {"after": ["a"], "run": "app.A", "queue": "slow"}}, "'queue'"),
        ({"$forward": [{"on": "a", "to": "a.other"}]}, "forward"),
        ({"t_a": {"after": ["a"], "run": "app.A", "cancelOn": {"triggers": ["b"], "terminate": True}}}, "terminate"),
    ],
)
def test_what_an_embedded_storage_cannot_carry_out_is_refused_and_the_session_stays(
    clock: Clock, rules: dict[str, Any], says: str
) -> None:
    clock.make().update_configuration({"t_before": {"after": ["card"], "run": "app.A"}})

    with pytest.raises(InvalidConfiguration, match=says):
        clock.make().update_configuration({"$edition": 2} | rules)
    assert list(clock.make().storage.tasks) == ["t_before"]


def test_changes_by_hand_are_refused_because_the_rows_are_the_session(clock: Clock) -> None:
    clock.make().update_configuration(edition_2(t_a={"after": ["a", "b"], "run": "app.A"}))
    clock.make().fire("a")
    storage = MemoryStorageBackend(clock.uid)

    with storage.acquire_lock():
        storage["t_a#0"].status = "finished"
        with pytest.raises(NotSupported, match="its instances were changed by hand"):
            storage.save()
    assert clock.make().storage["t_a#0"].status == "unstarted"


@pytest.fixture
def registered() -> Iterator[str]:
    trigger_managers.register("recording-editions")(RecordingManager)
    yield "recording-editions"
    trigger_managers._registered.pop("recording-editions")


@pytest.mark.usefixtures("django")
@pytest.mark.parametrize(("key", "kind"), [("memory", MemoryStorageBackend), ("cache", CacheStorageBackend)])
def test_a_periodic_task_finds_the_sessions_with_due_timers(
    clock: Clock, runner: type[RecordingRunner], registered: str, key: str, kind: type[BaseStorageBackend]
) -> None:
    """The index may be too early, and is put right; it is never too late."""
    manager = clock.make(kind)
    manager.update_configuration(RULES)
    manager.fire("cash")
    due: Callable[[int], list[str]] = kind.due_sessions
    assert (due(START + 9_999), due(START + 10_000)) == ([], [clock.uid])

    assert run_due_sessions(key, registered, now=lambda: START + 10_000) == 1

    assert runner.taken == ["t_a#0"]
    assert due(START + 10_000) == []


@pytest.mark.usefixtures("django")
def test_a_command_of_django_runs_what_is_due(
    clock: Clock, runner: type[RecordingRunner], registered: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It finds sessions by the real time, at which everything in a session that was set in 1970 is overdue."""
    manager = clock.make(CacheStorageBackend)
    manager.update_configuration(RULES)
    manager.fire("cash")

    import_module("django.core.management").call_command("triggers_run_due", "--manager", registered)

    assert runner.taken == ["t_a#0"]
    assert capsys.readouterr().out == "due timers carried out: 1\n"


def test_the_memory_storage_runs_what_is_due_as_well() -> None:
    now = [1_000]
    storage = MemoryStorage("s1", now=lambda: now[0])
    manager = TriggerManager(storage)
    manager.update_configuration(RULES)
    manager.fire("cash")
    [timer] = storage.commands
    assert isinstance(timer, SetTimer)
    assert (timer.kind, timer.due, storage.next_due()) == ("delay", 11_000, 11_000)

    now[0] = 11_000
    manager.run_due()

    assert [command.instance for command in storage.commands if isinstance(command, RunTask)] == ["t_a#0"]


@pytest.mark.usefixtures("django")
@pytest.mark.parametrize("every", ["0", "-5", "nan"])
def test_the_command_refuses_to_run_without_a_pause(every: str) -> None:
    management = import_module("django.core.management")

    with pytest.raises(management.CommandError, match=f"--every is {every}, but it must be more than 0"):
        management.call_command("triggers_run_due", f"--every={every}")
