"""The framework's test mixin still works, because users' own tests are the best check of a migration."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import ClassVar
from unittest import TestCase

import pytest

from triggers import MemoryStorageBackend, TriggerManager
from triggers.registry import trigger_managers
from triggers.runners import CeleryTaskRunner, ThreadingTaskRunner
from triggers.task import MaxRetriesExceeded, TaskContext, TriggerTask
from triggers.testing import (
    DevNullTask,
    FailingTask,
    PassThruTask,
    SelfRetryingTask,
    SelfSkippingTask,
    TriggerManagerTestCaseMixin,
    name_matches_classpath,
)
from triggers.types import TaskInstance


class Watching(TriggerManager):
    """Records its hooks. Its `_post_replay` has the signature with which the framework calls it."""

    seen: ClassVar[list[tuple[object, ...]]] = []

    def _post_fire(self, trigger_name: str, tasks_scheduled: list[TaskInstance]) -> None:
        assert not getattr(self.storage, "has_lock", False)
        self.seen.append(("fire", trigger_name, [instance.name for instance in tasks_scheduled]))

    def _post_replay(self, task_instance: TaskInstance) -> None:  # type: ignore[override]
        self.seen.append(("replay", task_instance.name))

    def _post_skip(self, task_instance: TaskInstance, cascade: bool) -> None:
        self.seen.append(("skip", task_instance.name, cascade))


trigger_managers.register("watching")(Watching)


@name_matches_classpath
class OneOff(TriggerTask):
    """A task that is not registered, so that a rule must name it by its path."""

    abstract = True

    def _run(self, context: TaskContext) -> dict[str, object]:
        return {"level": context.log_level}


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    yield
    Watching.seen.clear()
    MemoryStorageBackend.clear()


class Rules(TriggerManagerTestCaseMixin, TestCase):
    """A test case as an application writes it."""

    def setUp(self) -> None:
        self.manager = Watching(MemoryStorageBackend("rules"))
        self.manager.update_configuration(
            {
                "t_pass": {"after": ["a"], "run": PassThruTask.name},
                "t_fail": {"after": ["t_pass"], "run": FailingTask.name},
                "t_skip": {"after": ["t_fail"], "run": SelfSkippingTask.name, "unless": ["never"]},
                "t_off": {"after": ["b"], "run": PassThruTask.name, "unless": ["a"]},
                "t_again": {"after": ["c"], "run": SelfRetryingTask.name, "withParams": {"retries": {"max": 2}}},
                "t_wait": {"after": ["a", "d"], "run": DevNullTask.name},
            }
        )

    def test_assertions_hold_for_what_happened(self) -> None:
        self._go("a", n=1)
        self._go("c")

        self.assertInstanceFinished(instance_name="t_pass#0", expected_result={"kwargs": {"a": {"n": 1}}})
        self.assertInstanceFailed(instance_name="t_fail#0", exc_type=RuntimeError)
        self.assertInstanceMissing("t_skip#0")
        self.assertInstanceAbandoned("t_off#0")
        self.assertInstanceReplayed("t_again#0")
        self.assertInstanceFinished("t_again#2", {"count": 2})
        self.assertInstanceUnstarted("t_wait#0")
        self.assertUnresolvedTasks(["t_fail", "t_skip", "t_wait"])
        self.assertUnresolvedInstances(["t_fail#0", "t_wait#0"])

    def test_every_assertion_fails_for_what_did_not_happen(self) -> None:
        self._go("a", n=1)

        wrong: list[Callable[[], object]] = [
            lambda: self.assertInstanceStatus("t_pass#0", "failed"),
            lambda: self.assertInstanceAbandoned("t_pass#0"),
            lambda: self.assertInstanceFailed("t_pass#0", RuntimeError),
            lambda: self.assertInstanceFailed("t_fail#0", Exception),
            lambda: self.assertInstanceFinished("t_fail#0"),
            lambda: self.assertInstanceFinished("t_pass#0", {}),
            lambda: self.assertInstanceMissing("t_pass#0"),
            lambda: self.assertInstanceReplayed("t_fail#0"),
            lambda: self.assertInstanceSkipped("t_fail#0"),
            lambda: self.assertInstanceUnstarted("t_skip#0"),
            lambda: self.assertUnresolvedTasks(["t_fail"]),
            lambda: self.assertUnresolvedInstances([]),
        ]

        for assertion in wrong:
            with pytest.raises(AssertionError):
                assertion()

    def test_a_failed_assertion_shows_the_state_of_the_instance(self) -> None:
        self._go("a")

        with pytest.raises(AssertionError, match=r"t_fail#0 is failed, not finished:(.|\n)*Traceback"):
            self.assertInstanceFinished("t_fail#0")
        with pytest.raises(AssertionError, match="has not been created yet"):
            self.assertInstanceUnstarted("t_skip#0")

    def test_hooks_run_in_order_without_the_lock(self) -> None:
        self._go("a")
        self.manager.replay_failed_instance("t_fail#0")
        ThreadingTaskRunner.join_all()
        self.manager.skip_failed_instance("t_fail#1", cascade=True, result={})
        ThreadingTaskRunner.join_all()

        self.assertInstanceReplayed("t_fail#0")
        self.assertInstanceSkipped("t_skip#0")
        assert Watching.seen == [
            ("fire", "a", ["t_pass#0"]),
            ("fire", "t_pass", ["t_fail#0"]),
            ("replay", "t_fail#0"),
            ("fire", "t_fail", ["t_skip#0"]),
            ("skip", "t_fail#1", True),
        ]

    def test_a_task_that_retries_itself_too_often_fails_with_the_metadata_of_its_last_retry(self) -> None:
        params = {"retries": {"max": 9}}
        rule = {"after": ["e"], "run": SelfRetryingTask.name, "withParams": params}
        self.manager.update_configuration({"t_often": rule})

        self._go("e")

        for number in range(3):
            self.assertInstanceReplayed(f"t_often#{number}")
        self.assertInstanceFailed("t_often#3", MaxRetriesExceeded)
        failed = self.manager.storage["t_often#3"].metadata
        assert failed["exceptionContext"] == {"replay_metadata": {}}
        assert "Attempting retry #4, but `self.max_retries` = 3." in failed["exceptionInfo"]

    def test_a_rule_may_name_a_task_class_by_its_path_in_tests_only(self) -> None:
        self.manager.update_configuration({"t_one": {"after": ["e"], "run": OneOff.name}})
        self._go("e")

        self.assertInstanceFinished("t_one#0", {"level": 0})

    def test_tasks_run_in_threads_unless_the_rule_says_otherwise(self) -> None:
        self.manager.update_configuration({"t_celery": {"after": ["e"], "run": "x.y", "using": CeleryTaskRunner.name}})
        self.manager.fire("e")

        assert self.manager.deliver() == ["t_celery#0"]

    def _go(self, trigger_name: str, **kwargs: object) -> None:
        self.manager.fire(trigger_name, kwargs)
        ThreadingTaskRunner.join_all()


def test_outside_of_such_a_test_a_path_does_not_name_a_task() -> None:
    with pytest.raises(ValueError, match="not a registered Celery task"):
        ThreadingTaskRunner().resolve("tests.unit.nowhere.Task")
