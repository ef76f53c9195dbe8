"""Sessions in a Django cache, including sessions that the Triggers framework has written."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.cache import caches
from tests.unit.storages.conftest import RecordingManager, RecordingRunner

from triggers import CacheStorageBackend
from triggers.core.events import TaskFailed, TaskFinished, TaskStarted
from triggers.errors import CallError
from triggers.locking import NotSupported
from triggers.registry import trigger_managers
from triggers.task import task_body

trigger_managers.register("recording")(RecordingManager)
pytestmark = pytest.mark.usefixtures("django")

WHEN = datetime(2020, 5, 1, 12, 30, 0, 123456, tzinfo=UTC).replace(tzinfo=None)
LEFT = {
    "tasks": {
        "t_a": {
            "after": ["a"],
            "unless": [],
            "andEvery": None,
            "run": "app.A",
            "using": None,
            "withParams": {"a": {"x": 1}},
            "ours": [1],
        },
        "t_b": {
            "after": ["b", "t_a"],
            "unless": ["c"],
            "andEvery": "b",
            "run": "app.B",
            "using": None,
            "withParams": {},
        },
    },
    "instances": {
        "t_a#0": {
            "task": "t_a",
            "status": "replayed",
            "kwargs": {"a": {"n": 1}},
            "abandonState": [],
            "metadata": {
                "cooldown": None,
                "exceptionType": "app.Broken",
                "timestamps": {"created": WHEN, "lastModified": WHEN, "scheduled": WHEN, "failed": WHEN},
            },
        },
        "t_a#1": {
            "task": "t_a",
            "status": "running",
            "kwargs": {"a": {"n": 1}},
            "abandonState": [],
            "metadata": {
                "depth": 1,
                "parent": "t_a#0",
                "actualKwargs": {"a": {"n": 1, "x": 1}},
                "timestamps": {"created": WHEN, "lastModified": WHEN, "scheduled": WHEN, "running": WHEN},
            },
        },
        "t_b#0": {"task": "t_b", "status": "unstarted", "kwargs": {"b": {}}, "abandonState": [], "metadata": {}},
    },
    "metas": {"latest_kwargs": {"a": {"n": 1}, "b": {}}, "ours": "kept"},
}


def left_behind(uid: str) -> CacheStorageBackend:
    caches["default"].set(f"triggers.storages.cache:{uid}", LEFT)
    return CacheStorageBackend(uid)


def test_a_session_of_the_framework_is_read_unchanged() -> None:
    storage = left_behind("shown")

    assert [str(instance) for instance in storage] == ["t_a#0 (replayed)", "t_a#1 (running)", "t_b#0 (unstarted)"]
    assert (storage["t_a#1"].depth, storage["t_a#0"].last_modified) == (1, WHEN.replace(microsecond=123000))
    assert storage.tasks["t_a"].extra == {"ours": [1]}
    assert [instance.name for instance in storage.read().instances] == ["t_a#0", "t_a#1", "t_b#0"]


def test_a_session_of_the_framework_is_continued(runner: type[RecordingRunner]) -> None:
    manager = RecordingManager(left_behind("goes-on"))

    manager.record(TaskFinished(instance="t_a#1", attempt=0, result=b'{"id": 7}'))
    manager.fire("b", {"page": 2})

    again = CacheStorageBackend("goes-on")
    assert runner.taken == ["t_b#0", "t_b#1"]
    assert again["t_b#0"].kwargs == {"b": {}, "t_a": {"id": 7}}
    assert again["t_b#1"].kwargs == {"b": {"page": 2}, "t_a": {"id": 7}}
    assert again["t_a#1"].metadata["actualKwargs"] == {"a": {"n": 1, "x": 1}}
    assert again.metadata["ours"] == "kept"


def test_a_task_that_the_framework_has_queued_runs_and_cascades(runner: type[RecordingRunner]) -> None:
    left_behind("queued")
    as_it_was_sent = {
        "instance_name": "t_a#1",
        "manager_type": "recording",
        "storage_type": "cache",
        "storage_uid": "queued",
        "trigger_kwargs": {"a": {"n": 1, "x": 1}},
    }

    task_body(lambda context: {"seen": context.trigger_kwargs["a"]})(**as_it_was_sent)

    again = CacheStorageBackend("queued")
    assert again["t_a#1"].metadata["result"] == {"seen": {"n": 1, "x": 1}}
    assert again["t_b#0"].kwargs["t_a"] == {"seen": {"n": 1, "x": 1}}
    assert runner.taken == ["t_b#0"]


def test_a_late_result_of_an_attempt_that_the_framework_replayed_is_stale(runner: type[RecordingRunner]) -> None:
    manager = RecordingManager(left_behind("late"))

    manager.record(TaskFinished(instance="t_a#0", attempt=0))

    assert CacheStorageBackend("late")["t_a#0"].status == "replayed"
    assert runner.taken == []


def test_a_scheduled_instance_reports_its_kwargs_after_its_rule_has_changed(runner: type[RecordingRunner]) -> None:
    manager = RecordingManager(CacheStorageBackend("changed"))
    manager.update_configuration({"t_a": {"after": ["a"], "run": "app.A", "withParams": {"a": {"x": 1}}}})
    manager.fire("a")
    manager.update_configuration({"t_a": {"after": ["a"], "run": "app.A", "withParams": {"a": {"x": 2}}}})

    manager.record(TaskStarted(instance="t_a#0", attempt=1))
    manager.record(TaskFailed(instance="t_a#0", attempt=1, exception_type="app.Broken"))

    assert runner.taken == ["t_a#0"]
    assert CacheStorageBackend("changed")["t_a#0"].metadata["actualKwargs"] == {"a": {"x": 1}}


@pytest.mark.parametrize("uid", ["deleted", "deleted-large"])
def test_a_deleted_session_is_empty_and_can_begin_again(uid: str, runner: type[RecordingRunner]) -> None:
    manager = RecordingManager(CacheStorageBackend(uid))
    rules = {"t_a": {"after": ["a"], "andEvery": "a", "run": "app.A"}}
    manager.update_configuration(rules)
    for _ in range(3 if uid == "deleted" else 120):
        manager.fire("a")

    manager.delete_session()
    assert (manager.storage.tasks, manager.storage.instances, manager.storage.latest_kwargs) == ({}, {}, {})

    runner.taken.clear()
    manager.update_configuration(rules)
    manager.fire("a")
    manager.record(TaskFinished(instance="t_a#0", attempt=1))
    assert runner.taken == ["t_a#0"]
    assert CacheStorageBackend(uid)["t_a#0"].status == "scheduled"


def test_limits_of_a_configuration_are_kept(runner: type[RecordingRunner]) -> None:
    manager = RecordingManager(CacheStorageBackend("limits"))
    rule = {"after": ["a"], "run": "app.A", "timeouts": {"running": 60}}
    manager.update_configuration({"$limits": {"maxCascadeDepth": 1}, "t_a": rule})
    manager.update_configuration({"t_b": {"after": ["t_a"], "run": "app.B"}, "t_c": {"after": ["t_b"], "run": "app.C"}})
    manager.fire("a")
    for task in ("t_a", "t_b"):
        manager.record(TaskFinished(instance=f"{task}#0", attempt=1))

    statuses = {instance.name: instance.status for instance in CacheStorageBackend("limits")}

    assert statuses == {"t_a#0": "finished", "t_b#0": "finished", "t_c#0": "failed"}
    assert runner.taken == ["t_a#0", "t_b#0"]


def test_a_default_configuration_is_there_until_something_is_stored_and_the_base_of_the_first_update() -> None:
    class Prepared(CacheStorageBackend):
        def _load_default_configuration(self) -> dict[str, dict[str, object]]:
            return {"t_a": {"after": ["a"], "run": "app.A"}, "t_b": {"after": ["b"], "run": "app.B"}}

    assert list(Prepared("prepared").tasks) == ["t_a", "t_b"]

    RecordingManager(Prepared("prepared")).update_configuration({"t_a": {"after": ["x"], "run": "app.X"}})

    assert {name: task.run for name, task in CacheStorageBackend("prepared").tasks.items()} == {
        "t_a": "app.X",
        "t_b": "app.B",
    }


@pytest.mark.parametrize(
    ("arguments", "timeout"), [((), 300), (("short",), 60), (("default", 5), 5), (("default", None), None)]
)
def test_a_session_expires_after_its_timeout_or_that_of_its_cache(
    arguments: tuple[Any, ...], timeout: float | None
) -> None:
    storage = CacheStorageBackend("expires", *arguments)
    RecordingManager(storage).update_configuration({"t_a": {"after": ["a"], "run": "app.A"}})

    ends = storage.cache._expire_info[storage.cache.make_key(storage.cache_key)]

    assert (ends is None) == (timeout is None)
    assert timeout is None or timeout - 60 < ends - time.time() <= timeout


def test_a_cache_without_locks_is_refused() -> None:
    with pytest.raises(NotSupported, match="DummyCache has no locks"), CacheStorageBackend("s", "files").acquire_lock():
        pass


def test_a_cache_that_workers_cannot_find_by_name_is_refused() -> None:
    storage = CacheStorageBackend("s", type(caches["default"])("elsewhere", {}))

    with pytest.raises(CallError, match="by its name"):
        storage.worker_arguments()
