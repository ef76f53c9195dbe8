"""Helps to test applications: assertions, tasks, recorded sessions, and test suites for custom storages and runners.

Classes that need Celery or pytest are imported on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from triggers.testing.assertions import TriggerManagerTestCaseMixin
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
    "DevNullTask",
    "FailingTask",
    "PassThruTask",
    "RunnerSuite",
    "SelfRetryingTask",
    "SelfSkippingTask",
    "StorageSuite",
    "TriggerManagerTestCaseMixin",
    "name_matches_classpath",
]

_ELSEWHERE: Final = {
    "RunnerSuite": "runner_suite",
    "StorageSuite": "storage_suite",
    "TriggerManagerTestCaseMixin": "assertions",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ELSEWHERE.get(name, 'tasks')}"), name)
