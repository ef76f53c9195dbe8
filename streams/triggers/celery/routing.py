"""Celery's own options of a task: its queue, and when it expires."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from triggers.core.commands import RunTask
from triggers.errors import CallError


class WrongQueue(CallError):
    """Celery routes the task to a queue that this worker does not take (`-Q`, `-X`)."""


def execution_options(app: Any, name: str) -> dict[str, Any]:
    """Returns the options of a registered task: queue, priority, expires, time limits, serializer and so on.

    Ignores `task_routes`. Returns no options for a task that is not registered.
    """
    task = app.tasks.get(name)
    if task is None:
        return {}
    options = {option: value for option, value in task._get_exec_options().items() if value is not None}  # noqa: SLF001  # as `apply_async` does
    return options | {"ignore_result": task.ignore_result}


def routing_check(app: Any) -> Callable[[RunTask], Exception | None]:
    """Returns a function that returns the exception of a command whose task belongs to another worker, or None.

    Only with `-Q` or `-X` do some tasks belong to other workers. The queue of a rule takes precedence over Celery's.
    """
    if app.amqp.queues._consume_from is None:  # noqa: SLF001  # `consume_from` does not say whether -Q was given
        return lambda _: None
    return lambda command: None if command.queue is not None else _misrouted(app, command)


def _misrouted(app: Any, command: RunTask) -> Exception | None:
    options, kwargs = execution_options(app, command.run), msgspec.json.decode(command.kwargs)
    try:
        queue = app.amqp.router.route(options, command.run, (), kwargs, app.tasks[command.run]).get("queue")
    except Exception as error:  # noqa: BLE001  # a router is the application's code; this task fails
        return error
    taken = app.amqp.queues.consume_from
    if queue is None or queue.name in taken:
        return None
    return WrongQueue(
        f"Celery routes {command.run!r} to the queue {queue.name!r}, and this worker takes {', '.join(sorted(taken))}"
        f" (-Q); on Kafka, only rules choose queues. Give the rule a queue"
        f' ("$edition": 2, "queue": "{queue.name}"), or run `triggers dispatcher`'
    )


def expiry_of(task: Any, issued_ms: int) -> str | None:
    """Returns when a command expires that was issued at that time, or None: what the task's option `expires` says."""
    expires = task.expires
    if expires is None:
        return None
    if not isinstance(expires, datetime):
        expires = datetime.fromtimestamp(issued_ms / 1000, UTC) + timedelta(seconds=float(expires))
    return str(expires.isoformat())
