"""A pytest suite for task runners: what every runner must do.

class TestMyRunner(RunnerSuite):
    runner_name = "mine"                      # registered in triggers.runners

    def make_storage(self, uid):              # a storage that the runner's workers can access
        return MyStorage(uid)

    def wait(self, is_done):                  # blocks until is_done() is true
        ...
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar
from uuid import uuid4

import pytest

from triggers.manager import TriggerManager
from triggers.registry import task_runners
from triggers.storages.base import BaseStorageBackend
from triggers.testing.tasks import FailingTask, PassThruTask, SelfRetryingTask, SelfSkippingTask
from triggers.types import TaskInstance


class RunnerSuite:
    """Subclass it to test a runner. The runner's workers must know the tasks of `triggers.testing`."""

    runner_name: ClassVar[str]

    @abstractmethod
    def make_storage(self, uid: str) -> BaseStorageBackend:
        """Returns a storage that the runner's workers can access."""

    @abstractmethod
    def wait(self, is_done: Callable[[], bool]) -> None:
        """Blocks until `is_done()` is true. Fails if that takes too long."""

    @pytest.fixture
    def manager(self) -> TriggerManager:
        """The manager of a new session."""
        return TriggerManager(self.make_storage(uuid4().hex))

    def test_a_task_gets_its_kwargs_and_its_result_cascades(self, manager: TriggerManager) -> None:
        """`withParams` is merged into the kwargs."""
        first = self._rule(PassThruTask.name, after=["a"], withParams={"a": {"x": 1}, "more": {"y": 2}})
        manager.update_configuration({"t_first": first, "t_second": self._rule(PassThruTask.name, after=["t_first"])})

        manager.fire("a", {"n": 3})
        self._wait_for(manager, {"t_first#0": "finished", "t_second#0": "finished"})

        result = {"kwargs": {"a": {"x": 1, "n": 3}, "more": {"y": 2}}}
        assert manager.storage["t_first#0"].metadata["result"] == result
        assert manager.storage["t_second#0"].metadata["result"] == {"kwargs": {"t_first": result}}

    def test_a_failure_is_reported_and_the_instance_can_be_replayed(self, manager: TriggerManager) -> None:
        """The depth grows by one with each replay."""
        manager.update_configuration({"t_fails": self._rule(FailingTask.name, after=["a"])})
        manager.fire("a")
        self._wait_for(manager, {"t_fails#0": "failed"})

        manager.replay_failed_instance("t_fails#0")
        self._wait_for(manager, {"t_fails#0": "replayed", "t_fails#1": "failed"})

        assert manager.storage["t_fails#1"].metadata["exceptionType"] == "builtins.RuntimeError"
        assert manager.storage["t_fails#1"].depth == 1

    def test_a_task_that_retries_itself_sees_how_often_it_did(self, manager: TriggerManager) -> None:
        """`request.retries` is the depth of the instance."""
        rule = self._rule(SelfRetryingTask.name, after=["a"], withParams={"retries": {"max": 2}})
        manager.update_configuration({"t_retries": rule})

        manager.fire("a")
        self._wait_for(manager, {"t_retries#0": "replayed", "t_retries#1": "replayed", "t_retries#2": "finished"})

        assert manager.storage["t_retries#2"].metadata["result"] == {"count": 2}

    def test_a_task_that_skips_itself_does_not_cascade(self, manager: TriggerManager) -> None:
        manager.update_configuration({"t_skips": self._rule(SelfSkippingTask.name, after=["a"])})

        manager.fire("a")
        self._wait_for(manager, {"t_skips#0": "skipped"})

        assert manager.storage.latest_kwargs == {"a": {}}

    def test_what_cannot_be_run_stays_in_the_outbox(self, manager: TriggerManager) -> None:
        """`run` raises at once for a task that is not registered, instead of leaving that to a worker."""
        manager.update_configuration({"t_unknown": self._rule("nobody.has.registered.this", after=["a"])})

        manager.fire("a")

        assert manager.deliver() == ["t_unknown#0"]

    def test_its_name_is_its_key(self) -> None:
        """`using` in a rule refers to the runner by its `name`."""
        assert task_runners.get(self.runner_name).name == self.runner_name

    def _rule(self, task: str, **directives: Any) -> dict[str, Any]:
        return {"run": task, "using": self.runner_name} | directives

    def _wait_for(self, manager: TriggerManager, expected: dict[str, str]) -> None:
        self.wait(lambda: _statuses(manager) == expected)
        assert _statuses(manager) == expected


def _statuses(manager: TriggerManager) -> dict[str, str]:
    manager.storage.refresh()
    instances: list[TaskInstance] = list(manager.storage)
    return {instance.name: instance.status for instance in instances}
