"""Helps to test applications: a session in this process, assertions, tasks, recorded sessions, and test suites for
custom storages and runners.

Classes that need Celery or pytest are imported on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from triggers.testing.assertions import TriggerManagerTestCaseMixin
    from triggers.testing.local_session import LocalSession
    from triggers.testing.played_tasks import NEVER_ENDS, NEVER_STARTS, TaskRun, in_turn, takes
    from triggers.testing.runner_suite import RunnerSuite
    from triggers.testing.storage_suite import StorageSuite
    from triggers.testing.tasks import (
        DevNullTask,
        FailingTask,
        PassThruTask,
        SelfRetryingTask,
        SelfSkippingTask,
        name_matches_classpath,
    )

__all__ = [
    "NEVER_ENDS",
    "NEVER_STARTS",
    "DevNullTask",
    "FailingTask",
    "LocalSession",
    "PassThruTask",
    "RunnerSuite",
    "SelfRetryingTask",
    "SelfSkippingTask",
    "StorageSuite",
    "TaskRun",
    "TriggerManagerTestCaseMixin",
    "in_turn",
    "name_matches_classpath",
    "takes",
]

_ELSEWHERE: Final = {
    **dict.fromkeys(("NEVER_ENDS", "NEVER_STARTS", "TaskRun", "in_turn", "takes"), "played_tasks"),
    "LocalSession": "local_session",
    "RunnerSuite": "runner_suite",
    "StorageSuite": "storage_suite",
    "TriggerManagerTestCaseMixin": "assertions",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ELSEWHERE.get(name, 'tasks')}"), name)
