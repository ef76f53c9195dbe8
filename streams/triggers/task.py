"""What a task author uses: `TriggerTask`, its context, and the ways to end a task other than by returning.

@app.task is enough for a plain function; a class gets the context:

    class ImportSubject(TriggerTask):
        name = "app.tasks.ImportSubject"

        def _run(self, context):
            answers = context.trigger_kwargs["firstPageReceived"]["responses"]
            ...
            return {"subjectId": subject.id}      # fires the task's name, with this as its kwargs
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import AbstractContextManager
from functools import cached_property
from typing import Any

import celery
from celery.exceptions import MaxRetriesExceededError

from triggers.celery.command_headers import CommandName, command_of
from triggers.celery.installation import installed_settings
from triggers.celery.outcomes import RetryAsked, StatusSetByTask, class_name, context_of, traceback_of
from triggers.celery.result_signals import LOG_LEVEL, VERDICT
from triggers.core.statuses import Status
from triggers.core.view import InstanceView
from triggers.errors import InstanceNotFound
from triggers.logging import ContextLogger, logging_to
from triggers.manager import TriggerManager
from triggers.storages.stream import StreamStorage

Kwargs = Mapping[str, Any]


class StatusChange(Exception):
    """Raised by a task: give the instance this status and metadata. Never cascades; for Celery it is a success."""

    def __init__(self, status: str, metadata: Kwargs | None = None) -> None:
        super().__init__(status)
        self.status = status
        self.metadata = dict(metadata or {})


class Retry(Exception):
    """Made by `TriggerTask.retry`, raised by its caller."""

    def __init__(
        self, cause: BaseException | None, metadata: Kwargs, replacement_kwargs: Kwargs | None, cooldown: float
    ) -> None:
        super().__init__("the task asked to be run again")
        self.cause = cause
        self.metadata = dict(metadata)
        self.replacement_kwargs = replacement_kwargs
        self.cooldown = cooldown


class MaxRetriesExceeded(MaxRetriesExceededError):  # type: ignore[misc]  # Celery carries no types
    """The task was replayed or retried too often; `context` holds the `replay_metadata` of the attempt."""

    def __init__(self, message: str, context: Kwargs | None = None) -> None:
        super().__init__(message)
        self.context = dict(context or {})


class TaskContext:
    """What a `TriggerTask` knows about the run it is in."""

    def __init__(self, command: CommandName, trigger_kwargs: Mapping[str, Kwargs], logger_name: str) -> None:
        self._command = command
        self._logger_name = logger_name
        self.trigger_kwargs = trigger_kwargs
        """Trigger -> the kwargs it was fired with."""
        self.log_level = logging.NOTSET
        """Highest level that was logged through `get_logger_context`."""

    @property
    def instance_name(self) -> str:
        """`<task>#<n>`."""
        return self._command.instance

    @property
    def storage_uid(self) -> str:
        """UID of the session."""
        return self._command.session

    @property
    def attempt(self) -> int:
        """The how-manieth command of the instance this is, from 1."""
        return self._command.attempt

    @cached_property
    def manager(self) -> TriggerManager:
        """The session's manager: a task may fire triggers. Made on first use."""
        return TriggerManager(StreamStorage(self.storage_uid, installed_settings()))

    @cached_property
    def task_instance(self) -> InstanceView:
        """This instance, as the session's worker sees it now. Blocks; raises what reading a session raises."""
        for instance in self.manager.storage.read().instances:
            if instance.name == self.instance_name:
                return instance
        raise InstanceNotFound(f"session {self.storage_uid!r} has no instance {self.instance_name!r}")

    def get_logger_context(
        self, logger: logging.Logger | Kwargs | None = None, context: Kwargs | None = None
    ) -> AbstractContextManager[ContextLogger]:
        """A logger for a `with` block, the one of the task's name unless another is given.

        The highest level logged becomes the `logLevel` of the result; an exception that leaves the block is logged, so
        it counts as an error. A mapping as the only argument is the context.
        """
        if isinstance(logger, Mapping):
            logger, context = None, logger
        return logging_to(logger or logging.getLogger(self._logger_name), context or {}, self._note)

    def _note(self, level: int) -> None:
        self.log_level = max(self.log_level, level)


class TriggerTask(celery.Task):  # type: ignore[misc]  # as above
    """Base class of tasks: override `_run`."""

    abstract = True

    def run(self, /, **trigger_kwargs: Kwargs) -> Any:
        """Called by Celery, with one keyword argument per trigger."""
        context = TaskContext(current_command(self.request), trigger_kwargs, self.name)
        try:
            return _checked(self._run(context) or {})
        except StatusChange as change:
            verdict = StatusSetByTask(status=str(change.status), metadata=change.metadata)
            self.request.update({VERDICT: verdict})
        except Retry as retry:
            self.request.update({VERDICT: _asked(retry, context.log_level)})
        finally:
            self.request.update({LOG_LEVEL: context.log_level})
        return None

    def _run(self, context: TaskContext) -> Kwargs | None:
        """The task. What it returns fires the task's name as a trigger; nothing counts as `{}`."""
        raise NotImplementedError(f"{type(self).__name__} needs a _run(self, context)")

    def skip(self, metadata: Kwargs | None = None) -> StatusChange:
        """`raise self.skip()`: resolve the instance without a result and without a cascade."""
        return StatusChange(Status.SKIPPED, metadata)

    def retry(  # type: ignore[override, unused-ignore]  # Celery's own has other arguments
        self,
        exc: BaseException | None = None,
        metadata: Kwargs | None = None,
        replacement_kwargs: Mapping[str, Kwargs] | None = None,
        cooldown: float | None = None,
    ) -> Retry:
        """`raise self.retry(…)`: fail this instance and run it again as a new one, after `cooldown` seconds.

        `replacement_kwargs` (trigger -> kwargs) replace all of its kwargs. Raises MaxRetriesExceeded when the instance
        has been replayed or retried `max_retries` times (None: no limit).
        """
        noted = {**(_of(exc) if exc is not None else {}), **(metadata or {})}
        depth = self.request.retries
        if self.max_retries is not None and depth >= self.max_retries:
            raise MaxRetriesExceeded(
                f"Attempting retry #{depth + 1}, but `self.max_retries` = {self.max_retries}.",
                {"replay_metadata": noted},
            ) from exc
        return Retry(exc, metadata or {}, replacement_kwargs, cooldown or 0)


def current_command(request: Any = None) -> CommandName:
    """Session, instance and attempt of the running task; `request`: Celery's, where it is at hand.

    Raises LookupError outside of a task that a command started.
    """
    request = request if request is not None else getattr(celery.current_task, "request", None)
    command = command_of(request, getattr(request, "id", None))
    if command is None:
        raise LookupError("this is not a task that a command started: fire a trigger instead of calling it")
    return command


def _checked(result: Any) -> Any:
    if isinstance(result, Mapping):
        return result
    error = ValueError(f"a task must return a mapping, this one returned a {type(result).__name__}")
    error.context = {"actual_result": result}  # type: ignore[attr-defined]  # what results carry, see `outcomes`
    raise error


def _asked(retry: Retry, log_level: int) -> RetryAsked:
    return RetryAsked(
        metadata=retry.metadata,
        cause=retry.cause,
        replacement_kwargs=retry.replacement_kwargs,
        cooldown_ms=round(retry.cooldown * 1000),
        log_level=log_level,
    )


def _of(error: BaseException) -> dict[str, Any]:
    return {
        "exceptionContext": dict(context_of(error)),
        "exceptionInfo": traceback_of(error),
        "exceptionType": class_name(error),
    }
