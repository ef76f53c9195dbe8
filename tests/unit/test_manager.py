"""The API of a session, on the storage in memory."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from triggers.core.commands import RunTask
from triggers.core.events import ConfigurationUpdated, ReplayRequested, TaskFailed, TaskFinished, TriggerFired
from triggers.errors import CallError, InstanceNotFound, InvalidConfiguration, SessionNotFound, TooLarge, WrongStatus
from triggers.manager import TriggerManager
from triggers.storages.memory import MemoryStorage

RULES: dict[str, dict[str, object]] = {
    "t_import": {"after": {"pageReceived", "started"}, "run": "app.import_page"},
    "t_report": {"after": ["t_import"], "run": "app.report"},
}


@pytest.fixture
def storage() -> MemoryStorage:
    return MemoryStorage("s1", now=lambda: 1000)


@pytest.fixture
def manager(storage: MemoryStorage) -> TriggerManager:
    manager = TriggerManager(storage)
    manager.update_configuration(RULES)
    return manager


@pytest.fixture
def failed(manager: TriggerManager, storage: MemoryStorage) -> TriggerManager:
    manager.fire("pageReceived", {"page": 1})
    manager.fire("started")
    storage.write(TaskFailed(instance="t_import#0", attempt=1, exception_type="app.Broken"))
    return manager


def ran(storage: MemoryStorage) -> list[tuple[str, object]]:
    return [(c.instance, json.loads(c.kwargs)) for c in storage.commands if isinstance(c, RunTask)]


def status_of(manager: TriggerManager, name: str) -> str:
    return next(instance.status for instance in manager.storage.read().instances if instance.name == name)


def test_a_task_runs_when_its_triggers_have_fired(manager: TriggerManager, storage: MemoryStorage) -> None:
    manager.fire("pageReceived", {"page": 1})
    assert ran(storage) == []

    manager.fire("started")

    assert ran(storage) == [("t_import#0", {"pageReceived": {"page": 1}, "started": {}})]


def test_a_finished_task_fires_its_name(manager: TriggerManager, storage: MemoryStorage) -> None:
    manager.fire("pageReceived")
    manager.fire("started")

    storage.write(TaskFinished(instance="t_import#0", attempt=1, result=b'{"id": 7}'))

    assert ran(storage)[1] == ("t_report#0", {"t_import": {"id": 7}})


def test_the_same_event_id_fires_once(manager: TriggerManager, storage: MemoryStorage) -> None:
    manager.fire("started", event_id="e1")
    manager.fire("pageReceived", {"page": 1})
    manager.fire("pageReceived", {"page": 2}, event_id="e1")

    assert ran(storage) == [("t_import#0", {"pageReceived": {"page": 1}, "started": {}})]


def test_sets_of_triggers_are_written_as_sorted_lists(manager: TriggerManager, storage: MemoryStorage) -> None:
    manager.update_configuration({"t_x": {"after": frozenset("cab"), "run": "x", "unless": {"e", "d"}}})

    event = storage.events[-1]
    assert isinstance(event, ConfigurationUpdated)
    assert json.loads(event.configuration)["t_x"] == {"after": ["a", "b", "c"], "run": "x", "unless": ["d", "e"]}


@pytest.mark.parametrize(
    ("configuration", "error", "message"),
    [
        ({"t_x": {"run": "x"}}, InvalidConfiguration, "t_x"),
        ({"t_x": {"after": "ab", "run": "x"}}, InvalidConfiguration, "t_x"),
        ({"t_x": {"after": {1, "a"}, "run": "x"}}, CallError, r"configuration\['t_x'\]\['after'\]: set"),
        ({"t_x": None}, InvalidConfiguration, "t_x"),
        (
            {"t_x": {"after": [], "run": "x", "since": object()}},
            CallError,
            r"configuration\['t_x'\]\['since'\]: object",
        ),
    ],
)
def test_an_invalid_configuration_is_refused_and_not_written(
    storage: MemoryStorage, configuration: dict[str, dict[str, object]], error: type[CallError], message: str
) -> None:
    with pytest.raises(error, match=message):
        TriggerManager(storage).update_configuration(configuration)

    assert storage.events == []


@pytest.mark.parametrize(
    ("trigger", "kwargs", "error"),
    [
        ("t", {"a": {1}}, CallError),
        ("t", {"a": "x" * 900_000}, TooLarge),
        ("t" * 1025, {}, CallError),
        ("\ud800", {}, CallError),
        (3, {}, CallError),
        (None, {}, CallError),
    ],
)
def test_an_event_that_no_worker_would_accept_is_refused_by_the_call(
    storage: MemoryStorage, trigger: str, kwargs: dict[str, object], error: type[CallError]
) -> None:
    with pytest.raises(error):
        TriggerManager(storage).fire(trigger, kwargs)

    assert storage.events == []


def test_a_failed_instance_is_replayed_with_its_kwargs(failed: TriggerManager, storage: MemoryStorage) -> None:
    failed.replay_failed_instance("t_import#0")

    assert ran(storage)[-1] == ("t_import#1", {"pageReceived": {"page": 1}, "started": {}})
    assert status_of(failed, "t_import#0") == "replayed"


def test_a_failed_instance_is_replayed_with_other_kwargs(failed: TriggerManager, storage: MemoryStorage) -> None:
    [instance] = [i for i in failed.get_unresolved_instances() if i.status == "failed"]

    failed.replay_failed_instance(instance, {"pageReceived": {"page": 2}})

    assert ran(storage)[-1] == ("t_import#1", {"pageReceived": {"page": 2}})


def test_no_kwargs_and_unchanged_kwargs_differ(failed: TriggerManager, storage: MemoryStorage) -> None:
    failed.replay_failed_instance("t_import#0", {})

    assert storage.events[-1] == ReplayRequested(position=4, time=1000, instance="t_import#0", replacement_kwargs=b"{}")
    assert ran(storage)[-1] == ("t_import#1", {})


def test_a_failed_instance_is_skipped_without_a_cascade(failed: TriggerManager, storage: MemoryStorage) -> None:
    failed.skip_failed_instance("t_import#0")

    assert status_of(failed, "t_import#0") == "skipped"
    assert len(ran(storage)) == 1


def test_a_skip_can_cascade_a_simulated_result(failed: TriggerManager, storage: MemoryStorage) -> None:
    failed.skip_failed_instance("t_import#0", cascade=True, result={"id": 7})

    assert ran(storage)[-1] == ("t_report#0", {"t_import": {"id": 7}})


def test_only_failed_instances_are_replayed_or_skipped(manager: TriggerManager, storage: MemoryStorage) -> None:
    manager.fire("started")
    written = len(storage.events)

    with pytest.raises(
        WrongStatus, match=r'Instance "t_import#0 \(unstarted\)" in unstarted state cannot be replayed!'
    ):
        manager.replay_failed_instance("t_import#0")
    with pytest.raises(ValueError, match="cannot be skipped!"):
        manager.skip_failed_instance("t_import#0")
    assert len(storage.events) == written


def test_an_instance_that_does_not_exist_is_not_found(failed: TriggerManager, storage: MemoryStorage) -> None:
    written = len(storage.events)

    for call in (failed.replay_failed_instance, failed.skip_failed_instance, failed.mark_instance_logs_resolved):
        with pytest.raises(InstanceNotFound, match="t_import#9"):
            call("t_import#9")
    assert len(storage.events) == written


def test_a_session_in_which_nothing_happened_is_empty_and_cannot_be_read() -> None:
    storage = MemoryStorage("s1")

    assert TriggerManager(storage).get_unresolved_instances() == []
    with pytest.raises(SessionNotFound, match="s1"):
        storage.read()


def test_a_status_set_by_hand_is_returned_with_its_metadata_and_cascades(
    failed: TriggerManager, storage: MemoryStorage
) -> None:
    instance = failed.update_instance_status("t_import#0", "finished", {"by": "hand"}, True, {"id": 8})

    assert instance.status == "finished"
    assert instance.metadata["by"] == "hand"
    assert ran(storage)[-1] == ("t_report#0", {"t_import": {"id": 8}})


def test_a_status_that_the_table_forbids_needs_force(failed: TriggerManager) -> None:
    with pytest.raises(
        WrongStatus,
        match=r'Instance "t_import#0 \(failed\)" in failed state cannot be set to "scheduled" without force!',
    ):
        failed.update_instance_status("t_import#0", "scheduled")

    assert failed.update_instance_status("t_import#0", "scheduled", force=True).status == "scheduled"


def test_metadata_is_merged_and_logs_can_be_marked_as_resolved(failed: TriggerManager) -> None:
    failed.update_instance_metadata("t_import#0", {"ticket": "A-1"})
    failed.mark_instance_logs_resolved("t_import#0")

    [instance] = [i for i in failed.storage.read().instances if i.name == "t_import#0"]
    assert (bytes(instance.metadata["ticket"]), bytes(instance.metadata["logsResolved"])) == (b'"A-1"', b"true")
    assert instance.status == "failed"


def test_unresolved_tasks_and_instances_are_listed(failed: TriggerManager) -> None:
    assert [instance.name for instance in failed.get_unresolved_instances()] == ["t_import#0"]
    assert [task.name for task in failed.get_unresolved_tasks()] == ["t_import", "t_report"]

    failed.skip_failed_instance("t_import#0")

    assert failed.get_unresolved_instances() == []
    assert [task.name for task in failed.get_unresolved_tasks()] == ["t_report"]


def test_events_have_a_time_and_a_position(manager: TriggerManager, storage: MemoryStorage) -> None:
    storage.write(TriggerFired(trigger="x", time=5))
    manager.fire("y")

    assert [(event.position, event.time) for event in storage.events] == [(0, 1000), (1, 5), (2, 1000)]


def test_the_api_needs_no_framework() -> None:
    code = (
        "import sys; import triggers.manager, triggers.storages.stream, triggers.storages.memory;"
        "print([m for m in ('faust', 'celery', 'django', 'aiohttp') if m in sys.modules])"
    )

    finished = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=120)

    assert finished.stdout == "[]\n"
