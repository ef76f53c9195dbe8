"""Where an embedded storage differs from the Triggers framework on purpose, by the topics of docs/migrating.md."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from celery import Celery

from triggers import CacheStorageBackend, MemoryStorageBackend, TriggerManager
from triggers.core.events import TaskFailed, TaskFinished, TaskStarted
from triggers.errors import WrongStatus
from triggers.registry import storage_backends, task_runners, trigger_managers
from triggers.runners import BaseTaskRunner
from triggers.task import TaskContext, TriggerTask
from triggers.types import TaskInstance

ONE: dict[str, dict[str, object]] = {"t_a": {"after": ["a"], "run": "tests.A"}}
CHAIN: dict[str, dict[str, object]] = {
    "t_a": {"after": ["a"], "run": "tests.A"},
    "t_b": {"after": ["t_a"], "run": "tests.B"},
}


@task_runners.register("by-hand")
class ByHandRunner(BaseTaskRunner):
    """A runner that keeps the arguments of a worker, whose part a test plays."""

    name: ClassVar[str] = "by-hand"
    calls: ClassVar[list[dict[str, Any]]] = []
    cooldowns: ClassVar[dict[str, float]] = {}
    is_down: ClassVar[bool] = False

    def run(self, manager: TriggerManager, task_instance: TaskInstance) -> None:
        if self.is_down:
            raise ConnectionError("the runner is down")
        self.calls.append(self._prepare_task_kwargs(manager, task_instance))
        self.cooldowns[task_instance.name] = task_instance.cooldown


@trigger_managers.register("differences")
class Manager(TriggerManager):
    default_task_runner_name = "by-hand"
    replayed: ClassVar[list[tuple[str, str]]] = []
    hook_raises: ClassVar[bool] = False

    def _post_fire(self, trigger_name: str, tasks_scheduled: list[TaskInstance]) -> None:  # noqa: ARG002
        if self.hook_raises and tasks_scheduled:
            raise RuntimeError("a hook of the application's own is broken")

    def _post_replay(self, task_instance: TaskInstance, *, replay: TaskInstance | None = None) -> None:
        assert replay is not None
        self.replayed.append((task_instance.name, replay.name))


class Works(TriggerTask):
    """A task that counts its runs."""

    abstract = True
    runs = 0

    def _run(self, context: TaskContext) -> dict[str, object]:  # noqa: ARG002  # the framework's signature
        type(self).runs += 1
        return {"run": self.runs}


class Retries(TriggerTask):
    """A task that retries."""

    abstract = True

    def _run(self, context: TaskContext) -> None:  # noqa: ARG002  # the framework's signature
        raise self.retry(cooldown=10)


class Logs(TriggerTask):
    """A task that logs with a context."""

    abstract = True

    def _run(self, context: TaskContext) -> None:
        with context.get_logger_context({"page": 7}) as logger:
            logger.warning("the page is odd")


def worker(kind: type[TriggerTask]) -> TriggerTask:
    """Makes a task as a Celery worker does."""
    task = kind()
    task.bind(Celery("differences", set_as_current=False))
    return task


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    ByHandRunner.calls.clear()
    ByHandRunner.cooldowns.clear()
    Manager.replayed.clear()
    Works.runs = 0
    yield
    ByHandRunner.is_down = Manager.hook_raises = False
    MemoryStorageBackend.clear()


def manager_of(rules: dict[str, dict[str, object]]) -> Manager:
    manager = Manager(MemoryStorageBackend("s1"))
    manager.update_configuration(rules)
    return manager


def statuses() -> dict[str, str]:
    return {instance.name: instance.status for instance in MemoryStorageBackend("s1")}


def failed(rules: dict[str, dict[str, object]]) -> Manager:
    manager = manager_of(rules)
    manager.fire("a")
    manager.record(TaskFailed(instance="t_a#0", attempt=1, exception_type="app.Broken"))
    return manager


def test_a_retry_waits_for_its_cooldown_and_a_replay_by_hand_does_not() -> None:
    manager = manager_of(ONE)
    manager.fire("a")

    worker(Retries).run(**ByHandRunner.calls[0])
    manager.record(TaskFailed(instance="t_a#1", attempt=1, exception_type="app.Broken"))
    manager.replay_failed_instance("t_a#1")

    assert ByHandRunner.cooldowns == {"t_a#0": 0, "t_a#1": 10, "t_a#2": 0}


def test_the_hook_of_a_replay_gets_the_original_and_the_new_instance() -> None:
    manager = failed(ONE)

    manager.replay_failed_instance("t_a#0")

    assert Manager.replayed == [("t_a#0", "t_a#1")]


def test_a_hook_that_raises_during_a_cascade_does_not_undo_the_result() -> None:
    manager_of(CHAIN).fire("a")
    Manager.hook_raises = True

    assert worker(Works).run(**ByHandRunner.calls[0]) == {"run": 1}

    assert statuses() == {"t_a#0": "finished", "t_b#0": "scheduled"}


def test_a_runner_that_is_down_during_a_cascade_does_not_undo_the_result() -> None:
    manager_of(CHAIN).fire("a")
    ByHandRunner.is_down = True

    worker(Works).run(**ByHandRunner.calls[0])

    assert statuses() == {"t_a#0": "finished", "t_b#0": "scheduled"}


def test_a_fire_succeeds_while_the_runner_is_down() -> None:
    manager = manager_of(ONE)
    ByHandRunner.is_down = True
    manager.fire("a", {"n": 1})
    ByHandRunner.is_down = False

    assert manager.deliver() == []

    assert [call["trigger_kwargs"] for call in ByHandRunner.calls] == [{"a": {"n": 1}}]


def test_an_instance_object_that_was_read_earlier_acts_on_the_current_instance() -> None:
    manager = failed(ONE)
    old = manager.storage["t_a#0"]
    manager.replay_failed_instance(old)

    assert statuses() == {"t_a#0": "replayed", "t_a#1": "scheduled"}
    with pytest.raises(WrongStatus, match="in replayed state"):
        manager.replay_failed_instance(old)
    with pytest.raises(WrongStatus, match="in replayed state"):
        manager.skip_failed_instance(old)


def test_a_manager_that_read_the_session_before_the_failure_can_skip() -> None:
    manager = manager_of(ONE)
    manager.fire("a")
    assert manager.storage["t_a#0"].status == "scheduled"
    failed_by = Manager(MemoryStorageBackend("s1"))
    failed_by.record(TaskFailed(instance="t_a#0", attempt=1, exception_type="app.Broken"))

    manager.skip_failed_instance("t_a#0")

    assert statuses() == {"t_a#0": "skipped"}


def test_created_is_the_time_of_creation_and_a_replay_is_stamped() -> None:
    manager = manager_of({"t_a": {"after": ["a", "b"], "run": "tests.A"}})
    manager.fire("a")
    stamps = manager.storage["t_a#0"].metadata["timestamps"]
    assert stamps.keys() == {"created", "lastModified"}

    manager.fire("b")
    manager.record(TaskFailed(instance="t_a#0", attempt=1, exception_type="app.Broken"))
    manager.replay_failed_instance("t_a#0")

    later = manager.storage["t_a#0"].metadata["timestamps"]
    assert later["created"] == stamps["created"]
    assert later.keys() == {"created", "lastModified", "scheduled", "failed", "replayed"}


def test_a_command_that_is_delivered_again_after_its_result_does_not_run() -> None:
    manager_of(CHAIN).fire("a")
    call = ByHandRunner.calls[0]
    worker(Works).run(**call)

    assert worker(Works).run(**call) is None

    assert Works.runs == 1
    assert statuses() == {"t_a#0": "finished", "t_b#0": "scheduled"}


def test_a_command_whose_first_run_was_lost_runs_again_and_the_first_result_counts() -> None:
    manager = manager_of(CHAIN)
    manager.fire("a")
    manager.record(TaskStarted(instance="t_a#0", attempt=1))

    worker(Works).run(**ByHandRunner.calls[0])
    manager.record(TaskFinished(instance="t_a#0", attempt=1, result=b'{"late": 1}'))

    assert MemoryStorageBackend("s1")["t_a#0"].metadata["result"] == {"run": 1}
    assert statuses() == {"t_a#0": "finished", "t_b#0": "scheduled"}


def test_a_late_result_of_a_replayed_attempt_never_cascades() -> None:
    manager = failed(CHAIN)
    manager.replay_failed_instance("t_a#0")

    manager.record(TaskFinished(instance="t_a#0", attempt=1))

    assert statuses() == {"t_a#0": "replayed", "t_a#1": "scheduled"}


def test_a_status_is_set_by_hand_within_the_table_of_transitions_only() -> None:
    manager = failed(ONE)
    manager.skip_failed_instance("t_a#0")

    with pytest.raises(WrongStatus, match="force"):
        manager.update_instance_status("t_a#0", TaskInstance.STATUS_FAILED)

    assert manager.update_instance_status("t_a#0", TaskInstance.STATUS_FAILED, force=True).status == "failed"


def test_a_mapping_as_the_first_argument_is_the_logger_context(caplog: pytest.LogCaptureFixture) -> None:
    manager_of(ONE).fire("a")

    worker(Logs).run(**ByHandRunner.calls[0])

    assert [vars(record)["context"] for record in caplog.records if record.levelno == logging.WARNING] == [{"page": 7}]
    assert MemoryStorageBackend("s1")["t_a#0"].log_level_name == "WARNING"


def test_manager_and_storage_report_the_unresolved_tasks() -> None:
    manager = manager_of(CHAIN)
    manager.fire("a")

    assert [task.name for task in manager.get_unresolved_tasks()] == ["t_a", "t_b"]
    assert [task.name for task in manager.storage.get_unresolved_tasks()] == ["t_a", "t_b"]


def test_retries_without_a_limit_are_unlimited() -> None:
    manager_of(ONE).fire("a")
    task = worker(Retries)
    task.max_retries = None

    for attempt in range(5):
        task.push_request(retries=attempt)
        task.run(**ByHandRunner.calls[attempt])
        task.pop_request()

    assert statuses() == {f"t_a#{n}": "replayed" for n in range(5)} | {"t_a#5": "scheduled"}


@pytest.mark.usefixtures("django")
def test_workers_use_the_cache_and_the_timeout_of_the_caller() -> None:
    manager = Manager(CacheStorageBackend("differences", cache="short", timeout=None))
    manager.update_configuration(ONE)
    manager.fire("a")

    [call] = ByHandRunner.calls
    again = storage_backends.get(call["storage_type"], call["storage_uid"], **call["storage_arguments"])

    assert again.timeout is None
    assert again["t_a#0"].status == "scheduled"
    assert CacheStorageBackend("differences").instances == {}
