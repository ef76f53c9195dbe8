"""Tasks for tests of rules, each with a different outcome."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from typing_extensions import override

from triggers.task import TaskContext, TriggerTask

T = TypeVar("T", bound=type[TriggerTask])


def name_matches_classpath(cls: T) -> T:
    """A decorator that names the task after the dotted path of its class, so that a rule's `run` can be `cls.name`."""
    cls.name = f"{cls.__module__}.{cls.__name__}"
    return cls


@name_matches_classpath
class PassThruTask(TriggerTask):
    """Returns the kwargs that it received."""

    @override
    def _run(self, context: TaskContext) -> dict[str, Any]:
        return {"kwargs": context.trigger_kwargs}


@name_matches_classpath
class DevNullTask(TriggerTask):
    """Returns an empty result."""

    @override
    def _run(self, context: TaskContext) -> dict[str, Any]:
        return {}


@name_matches_classpath
class FailingTask(TriggerTask):
    """Fails with a RuntimeError."""

    @override
    def _run(self, context: TaskContext) -> None:
        raise RuntimeError("this task always fails")


@name_matches_classpath
class SelfSkippingTask(TriggerTask):
    """Skips itself, with its kwargs as metadata."""

    @override
    def _run(self, context: TaskContext) -> None:
        raise self.skip({"kwargs": context.trigger_kwargs})


@name_matches_classpath
class SelfRetryingTask(TriggerTask):
    """Retries itself as often as `withParams: {"retries": {"max": …}}` says; the default is `max_retries`."""

    @override
    def _run(self, context: TaskContext) -> dict[str, Any]:
        retries: Mapping[str, Any] = context.trigger_kwargs.get("retries") or {}
        if self.request.retries < retries.get("max", self.max_retries):
            raise self.retry()
        return {"count": self.request.retries}
