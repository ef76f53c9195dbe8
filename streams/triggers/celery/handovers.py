"""Handovers: a run that ends without an outcome, because Celery retries its task or a signature replaces it.

With a broker of its own, Celery sends a message that continues the command. It has the command's task id. If a chain, a
group or a chord replaces the task, the last message has the id, and the others are *parts*: a part reports nothing but
a failure, because what follows it never runs then.

Without a broker, a retry is handed over to the engine, and a replacement is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from celery import current_task
from celery.app.task import Task
from celery.exceptions import Ignore, Retry
from celery.utils.serialization import UnpickleableExceptionWrapper

from triggers.celery.command_headers import Request, command_of, header_of, named_by
from triggers.celery.command_traces import continue_trace
from triggers.results.result_events import CommandName, RetryAsked

PART: Final = "triggers-part"
"""Name of the message header of a part. Its value is that of the command's header."""
_REPLACED_BY: Final = "triggers_replaced_by"
"""Key of the request under which the name of the task is stored that replaces it."""
_RETRY_TAKEN: Final = "triggers_retry_taken"
"""Key of the request that says that the engine carries out Celery's retry."""
_NESTING: Final = "replaced_task_nesting"


def mark_message(sender: str, headers: dict[str, Any] | None, **_: object) -> None:
    """Marks a message that continues the command that is running here. It receives `before_task_publish`."""
    running = _running_request()
    name = None if running is None else command_of(running, running.id) or part_of(running)
    if running is None or name is None or headers is None:
        return
    nesting = headers.get(_NESTING) or 0
    if nesting > running.replaced_task_nesting and running.get(_REPLACED_BY) is None:
        running.update({_REPLACED_BY: sender})
    if headers.get("id") == name.task_id:
        headers.update(header_of(name))
        continue_trace(running, headers)
    elif nesting > running.replaced_task_nesting or (nesting and part_of(running)):
        headers[PART] = next(iter(header_of(name).values()))
        continue_trace(running, headers)


def part_of(request: Request | None) -> CommandName | None:
    """Returns the command that the request is a part of, or None."""
    header = request.get(PART) if request is not None else None
    return named_by(header) if isinstance(header, Mapping) else None


def take_retry(headers: Mapping[str, Any], arguments: tuple[list[Any], dict[str, Any]]) -> bool:
    """Hands Celery's retry of the running command over to the engine. Returns False for any other message.

    A retry with other arguments is not taken, because the engine runs the next attempt with those of the rules.
    """
    running = _running_request()
    if running is None or command_of(running, running.id) is None:
        return False
    is_retry = headers.get("id") == running.id and headers.get("retries") == running.retries + 1
    if not is_retry or arguments != (list(running.args or ()), dict(running.kwargs or {})):
        return False
    running.update({_RETRY_TAKEN: True})
    return True


def retry_asked(task: Any, request: Request, reason: Retry, log_level: int) -> RetryAsked | None:
    """Returns the retry that the engine has to carry out, or None if Celery's broker has it."""
    if not request.get(_RETRY_TAKEN):
        return None
    return RetryAsked(
        metadata={},
        cause=cause_of(reason),
        replacement_kwargs=None,
        cooldown_ms=round(1000 * _seconds_until(task, reason.when)),
        log_level=log_level,
    )


def cause_of(reason: Retry) -> BaseException | None:
    """Returns the exception for which Celery retries."""
    named: object = reason.exc
    if isinstance(named, BaseException) and not isinstance(named, UnpickleableExceptionWrapper):
        return named
    context: BaseException | None = reason.__context__
    return context


def replacement_of(request: Request, ended: Ignore) -> str | None:
    """Returns the name of the task that replaces the one that ended, or None if it was ignored for another reason."""
    is_replaced = any(frame.f_code is Task.on_replace.__code__ for frame in _frames(ended))
    return str(request.get(_REPLACED_BY) or "another task") if is_replaced else None


def _running_request() -> Any:
    """Returns the request of the task that runs in this thread, or None."""
    return current_task.request if current_task else None


def _frames(error: BaseException) -> Iterator[Any]:
    trace = error.__traceback__
    while trace is not None:
        yield trace.tb_frame
        trace = trace.tb_next


def _seconds_until(task: Any, when: datetime | float | None) -> float:
    """Returns how long Celery would wait: `when` is a number of seconds or a point in time."""
    if isinstance(when, datetime):
        now: datetime = task.app.now()
        return max(0.0, (when - (now if when.tzinfo else now.replace(tzinfo=None))).total_seconds())
    return max(0.0, float(when or 0))
