"""Hop 7: `TriggerTask`, the base class of tasks, and the exceptions that end a task other than by returning.

A plain Celery task (`@app.task`) is enough for a function of the kwargs. A `TriggerTask` also gets the context:

    class ImportSubject(TriggerTask):
        name = "app.tasks.ImportSubject"

        def _run(self, context):
            answers = context.trigger_kwargs["firstPageReceived"]["responses"]
            ...
            return {"subjectId": subject.id}      # the task's name is fired with these kwargs
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from triggers.extras import explain_missing

try:
    import celery
    from celery.exceptions import Ignore, MaxRetriesExceededError
except ModuleNotFoundError as error:
    raise explain_missing(error, "triggers.task", "celery") from error

from triggers.celery.autoretry import autoretry_cooldown
from triggers.celery.command_headers import command_of
from triggers.celery.installation import installed_manager, installed_settings
from triggers.celery.run_reports import LOG_LEVEL, VERDICT
from triggers.celery.task_registration import register_in_every_app
from triggers.core.statuses import Status
from triggers.exceptions import with_context
from triggers.results.result_events import CommandName, RetryAsked, StatusSetByTask, exception_metadata
from triggers.running.context import TaskContext, command_of_thread
from triggers.running.embedded import run_embedded

__all__ = [
    "MaxRetriesExceeded",
    "Retry",
    "StatusChange",
    "TaskContext",
    "TriggerTask",
    "current_command",
    "task_body",
]

Kwargs = Mapping[str, Any]


class StatusChange(Exception):
    """Raised by a task to give its instance a status and metadata instead of a result.

    It does not cascade, and for Celery the task has succeeded.
    """

    def __init__(self, status: str, metadata: Kwargs | None = None) -> None:
        super().__init__(status)
        self.status = status
        self.metadata = dict(metadata or {})


class Retry(Exception):
    """Raised by a task to run again, as a new instance. `TriggerTask.retry` creates it; the task raises it."""

    def __init__(
        self, cause: BaseException | None, metadata: Kwargs, replacement_kwargs: Kwargs | None, cooldown: float
    ) -> None:
        super().__init__("the task asked to run again")
        self.cause = cause
        self.metadata = dict(metadata)
        self.replacement_kwargs = replacement_kwargs
        self.cooldown = cooldown


class MaxRetriesExceeded(MaxRetriesExceededError):
    """Raised by `TriggerTask.retry` if the task was replayed or retried `max_retries` times.

    The `context` contains the metadata of the refused retry as `replay_metadata`.
    """

    def __init__(self, message: str, context: Kwargs | None = None) -> None:
        super().__init__(message)
        self.context = dict(context or {})


class TriggerTask(celery.Task):
    """Base class of tasks that read their context, set a status or retry. Subclasses override `_run`.

    A subclass that defines `_run` is registered in every Celery app of its process, unless it is `abstract`. `_run` may
    be called more than once for an attempt: a command is delivered again if its worker was killed.
    """

    abstract = True
    _orig_run = None
    """Celery does not wrap `run` for `autoretry_for` if a task has this attribute. `_run_or_retry` does it instead."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "_run" in vars(cls) and not vars(cls).get("abstract"):
            register_in_every_app(cls)

    def run(self, /, *args: Any, **kwargs: Any) -> Any:
        """Runs the task; called by Celery. Override `_run` instead.

        For a command of the stream, the arguments are the triggers with their kwargs; otherwise, they are those that
        the runner of an embedded storage sends.
        """
        request = self.request
        command = command_of(request, request.id)
        if command is None:
            return task_body(self._run_or_retry)(*args, **{"logger_name": self.name, **kwargs})
        context = _context_of_command(command, kwargs, self.name)
        try:
            returned = _run_task_body(self._run_or_retry, context)
        finally:
            request.update({LOG_LEVEL: context.log_level})
        if isinstance(returned, Mapping):
            return returned
        request.update({VERDICT: returned})
        return None

    def _run(self, context: TaskContext) -> Kwargs | None:
        """Does the work of the task; subclasses override it.

        Returns a JSON mapping, or None for `{}`. The instance is finished with it, and the task's name is fired as a
        trigger with the mapping as its kwargs. An exception makes the instance failed, except for `StatusChange` and
        `Retry`.
        """
        raise NotImplementedError(f"{type(self).__name__} needs a _run(self, context)")

    def skip(self, metadata: Kwargs | None = None) -> StatusChange:
        """Returns an exception that resolves the instance without a result and without a cascade.

        Use it as `raise self.skip()`.
        """
        return StatusChange(Status.SKIPPED, metadata)

    def cleanup_thread(self) -> None:
        """Closes the Django database connections of the current thread; the threading runner calls it after a run."""
        django_db = sys.modules.get("django.db")
        if django_db is not None:
            django_db.connections.close_all()

    def retry(
        self,
        exc: BaseException | None = None,
        metadata: Kwargs | None = None,
        replacement_kwargs: Mapping[str, Kwargs] | None = None,
        cooldown: float | None = None,
        *,
        countdown: float | None = None,
    ) -> Retry:
        """Returns an exception that replaces this instance by a new one, which runs after `cooldown` seconds.

        Use it as `raise self.retry(exc, …)`. `exc` is the cause, which is stored with the instance together with
        `metadata`. `replacement_kwargs` maps triggers to kwargs and replaces all kwargs of the instance. `countdown` is
        Celery's word for `cooldown`.

        Raises MaxRetriesExceeded if the instance was already replayed or retried `max_retries` times; there is no limit
        if `max_retries` is None.
        """
        replay_metadata = {**(exception_metadata(exc) if exc is not None else {}), **(metadata or {})}
        depth = self.request.retries
        if self.max_retries is not None and depth >= self.max_retries:
            raise MaxRetriesExceeded(
                f"Attempting retry #{depth + 1}, but `self.max_retries` = {self.max_retries}.",
                {"replay_metadata": replay_metadata},
            ) from exc
        return Retry(exc, metadata or {}, replacement_kwargs, cooldown or countdown or 0)

    def _run_or_retry(self, context: TaskContext) -> Kwargs | None:
        """Runs `_run`, and carries out Celery's `autoretry_for` by `Retry`, for the stream and embedded storages."""
        try:
            return self._run(context)
        except (StatusChange, Retry, Ignore):
            raise
        except Exception as error:
            cooldown = autoretry_cooldown(self, error)
            if cooldown is None:
                raise
            raise Retry(error, {}, None, cooldown) from error


def task_body(target: Callable[[TaskContext], Kwargs | None]) -> Callable[..., Kwargs | None]:
    """Returns a function that a task runner of an embedded storage can call with the arguments that it sends.

    The function runs `target` with its `TaskContext` and reports the result, or the exception, to the session.
    """

    @wraps(target)
    def body(
        instance_name: str,
        manager_type: str,
        storage_type: str,
        storage_uid: str,
        trigger_kwargs: Mapping[str, Kwargs],
        *args: Any,
        attempt: int = 0,
        storage_arguments: Kwargs | None = None,
        logger_name: str = __name__,
        **kwargs: Any,
    ) -> Kwargs | None:
        context = TaskContext(
            instance_name,
            manager_type,
            storage_type,
            storage_uid,
            trigger_kwargs,
            args,
            kwargs,
            attempt=attempt,
            storage_arguments=storage_arguments,
            logger_name=logger_name,
        )
        return run_embedded(context, lambda each: _run_task_body(target, each))

    return body


def current_command(request: Any = None) -> CommandName:
    """Returns the session, instance and attempt of the running task. Works in any Celery task that a command started.

    `request` is Celery's request; by default, it is that of the current task. Raises LookupError if no command started
    the task, or if no task is running.
    """
    request = request if request is not None else getattr(celery.current_task, "request", None)
    command = command_of(request, getattr(request, "id", None)) or command_of_thread()
    if command is None:
        raise LookupError("no command started this task: fire a trigger instead of calling the task")
    return command


def run_in_thread(task: TriggerTask, context: TaskContext, retries: int) -> Kwargs | StatusSetByTask | RetryAsked:
    """Runs a task in the calling thread and returns its result or its verdict, which nobody publishes.

    `retries` is the depth of its instance. Raises whatever the task raises.
    """
    task.bind(task.app)  # it has no stack of requests before its first use by an app
    task.push_request(retries=retries, called_directly=True)
    try:
        return _run_task_body(task._run_or_retry, context)  # noqa: SLF001  # it is this module's class
    finally:
        task.pop_request()


def _context_of_command(command: CommandName, trigger_kwargs: Mapping[str, Kwargs], logger_name: str) -> TaskContext:
    return TaskContext(
        command.instance,
        installed_manager(),
        "stream",
        command.session,
        trigger_kwargs,
        attempt=command.attempt,
        storage_arguments={"settings": installed_settings()},
        logger_name=logger_name,
    )


def _run_task_body(
    run: Callable[[TaskContext], Kwargs | None], context: TaskContext
) -> Kwargs | StatusSetByTask | RetryAsked:
    try:
        return _check_result(run(context) or {})
    except StatusChange as change:
        return StatusSetByTask(status=str(change.status), metadata=change.metadata)
    except Retry as retry:
        return _retry_asked(retry, context.log_level)


def _check_result(result: Any) -> Kwargs:
    if isinstance(result, Mapping):
        return result
    error = ValueError(f"a task must return a mapping, this one returned a {type(result).__name__}")
    raise with_context(error, {"actual_result": result})


def _retry_asked(retry: Retry, log_level: int) -> RetryAsked:
    return RetryAsked(
        metadata=retry.metadata,
        cause=retry.cause,
        replacement_kwargs=retry.replacement_kwargs,
        cooldown_ms=round(retry.cooldown * 1000),
        log_level=log_level,
    )
