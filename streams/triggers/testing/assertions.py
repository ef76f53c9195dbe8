"""A mixin with which applications test their rules and tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pprint import pformat
from typing import Any
from unittest import TestCase, TestResult

from triggers import runners
from triggers.manager import TriggerManager
from triggers.patcher import AttrPatcher
from triggers.runners import ThreadingTaskRunner
from triggers.types import TaskInstance


class TriggerManagerTestCaseMixin(TestCase):
    """Adds assertions about instances to a test case, and runs tasks in threads, without cooldowns.

    The test case sets `self.manager`, on an embedded storage, in its `setUp`. `ThreadingTaskRunner.join_all()` waits
    for the tasks. A rule's `run` may be the dotted path of a task class.
    """

    manager: TriggerManager

    def run(self, result: TestResult | None = None) -> TestResult | None:
        in_threads = AttrPatcher(runners, DEFAULT_TASK_RUNNER=ThreadingTaskRunner)
        with in_threads, AttrPatcher(ThreadingTaskRunner, allow_python_path_target=True, waits_for_cooldown=False):
            return super().run(result)

    def assertInstanceStatus(self, instance_name: str, expected_status: str) -> TaskInstance:
        """Asserts that the instance exists and has this status, and returns it."""
        self.manager.storage.invalidate_cache()
        instance = self.manager.storage.instances.get(instance_name)
        if instance is None:
            self.fail(f"{instance_name} should be {expected_status}, but it has not been created yet")
        if instance.status != expected_status:
            message = f"{instance_name} is {instance.status}, not {expected_status}"
            self.fail(f"{message}:\n\n{pformat(instance.metadata)}")
        return instance

    def assertInstanceAbandoned(self, instance_name: str) -> None:
        self.assertInstanceStatus(instance_name, TaskInstance.STATUS_ABANDONED)

    def assertInstanceFailed(self, instance_name: str, exc_type: type[BaseException]) -> None:
        """Asserts that it failed with an exception of exactly this type."""
        instance = self.assertInstanceStatus(instance_name, TaskInstance.STATUS_FAILED)
        expected = f"{exc_type.__module__}.{exc_type.__name__}"
        self.assertEqual(instance.metadata[TaskInstance.META_EXCEPTION_TYPE], expected, pformat(instance.metadata))

    def assertInstanceFinished(self, instance_name: str, expected_result: Mapping[str, Any] | None = None) -> None:
        """Asserts that it finished and, if `expected_result` is given, with that result."""
        instance = self.assertInstanceStatus(instance_name, TaskInstance.STATUS_FINISHED)
        if expected_result is not None:
            self.assertEqual(instance.metadata[TaskInstance.META_RESULT], expected_result)

    def assertInstanceMissing(self, instance_name: str) -> None:
        """Asserts that the instance does not exist, because none of its triggers has fired."""
        self.manager.storage.invalidate_cache()
        instance = self.manager.storage.instances.get(instance_name)
        if instance is not None:
            self.fail(f"{instance_name} should not be there, but it is {instance.status}")

    def assertInstanceReplayed(self, instance_name: str) -> None:
        """Asserts that it was replayed, or retried itself."""
        self.assertInstanceStatus(instance_name, TaskInstance.STATUS_REPLAYED)

    def assertInstanceSkipped(self, instance_name: str) -> None:
        """Asserts that it was skipped, or skipped itself."""
        self.assertInstanceStatus(instance_name, TaskInstance.STATUS_SKIPPED)

    def assertInstanceUnstarted(self, instance_name: str) -> None:
        """Asserts that it still waits for triggers."""
        self.assertInstanceStatus(instance_name, TaskInstance.STATUS_UNSTARTED)

    def assertUnresolvedTasks(self, task_names: Sequence[str]) -> None:
        """Asserts that exactly these tasks, sorted by name, have no instance yet or an unresolved one."""
        self.assertListEqual(sorted(task.name for task in self.manager.get_unresolved_tasks()), list(task_names))

    def assertUnresolvedInstances(self, instance_names: Sequence[str]) -> None:
        """Asserts that exactly these instances, sorted by name, are unresolved."""
        unresolved = self.manager.get_unresolved_instances()
        self.assertListEqual(sorted(instance.name for instance in unresolved), list(instance_names))
