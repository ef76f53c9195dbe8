"""The internals of Celery, kombu and billiard that this package uses. `install()` checks that they exist.

Celery has no public way to feed a worker from anything but a message broker. So only minor versions that the tests have
run with are supported (`make celery-versions`), and `install()` refuses others before a task can be lost.
"""

from __future__ import annotations

import inspect
from types import ModuleType
from typing import Any, Final

import celery
from billiard import pool
from billiard.einfo import ExceptionInfo, ExceptionWithTraceback
from celery import bootsteps
from celery.app import autoretry, trace
from celery.app.amqp import Queues
from celery.app.base import Celery
from celery.app.task import Context, Task
from celery.backends.base import Backend
from celery.concurrency.base import BasePool
from celery.worker import loops, state
from celery.worker.consumer import Consumer
from celery.worker.request import Request
from kombu.asynchronous.hub import Hub
from kombu.transport import memory

from triggers.errors import TriggersError

SUPPORTED: Final = ((5, 4), (5, 5), (5, 6), (5, 7))

_NAMES: Final[dict[type | ModuleType, tuple[str, ...]]] = {
    Request: (
        "__slots__",  # it includes __dict__, so the subclass can have attributes
        "acknowledge",  # acknowledges a broker's message, which a command does not have
        "reject",
        "cancel",  # called when the connection to the Celery broker is lost
        "execute_using_pool",
        "on_accepted",
        "on_success",
        "on_failure",
        "on_timeout",
        "revoked",
        "terminate",
        "time_start",
        "_announce_revoked",  # called for every kind of revocation
        "_context",
        "send_event",
    ),
    state: (
        "task_reserved",
        "task_ready",
        "active_requests",  # the requests that survive a reconnect to the Celery broker
        "should_stop",  # an exit code stops the worker
        "revoked",  # ids of tasks that must not begin
        "should_terminate",  # set in a cold shutdown, in which children are killed without a failure
        "maybe_shutdown",
    ),
    trace: ("build_tracer", "fast_trace_task", "trace_task_ret", "_install_stack_protection"),
    loops: ("asynloop",),
    Consumer: ("register_with_event_loop", "on_close", "bucket_for_task", "_limit_task"),
    pool.Worker: ("contribute_to_object",),  # gives a child's process the pipe of its outcomes, `outq`
    pool: ("ResultHandler", "SIG_SOFT_TIMEOUT"),  # `state_handlers` of the former receive what comes through the pipe
    Queues: ("_consume_from",),  # None unless -Q or -X is given
    Hub: ("add_reader",),
    bootsteps: ("StartStopStep",),
    BasePool: ("num_processes", "uses_semaphore", "terminate_job"),
    Task: (
        "request_stack",
        "_get_exec_options",
        "__call__",
        "push_request",
        "pop_request",
        "Request",  # the class of a task's requests
        "on_replace",  # the frame in which Ignore is raised
    ),
    autoretry: ("add_autoretry_behaviour",),  # does nothing for a task that has `_orig_run`
    Backend: ("store_result",),  # the one method through which every state is stored
    Context: ("get", "update"),
    Celery: ("add_defaults", "steps"),
    memory.Channel: ("_put", "queues"),
    memory.Transport: ("implements",),
}


class UnsupportedCelery(TriggersError):
    """The installed Celery is not the supported one."""


def check_celery() -> None:
    """Raises UnsupportedCelery if the version differs or an internal is missing."""
    if tuple(celery.VERSION[:2]) not in SUPPORTED:
        first, last = (f"{major}.{minor}" for major, minor in (SUPPORTED[0], SUPPORTED[-1]))
        raise UnsupportedCelery(f"Celery {celery.__version__} is installed, but {first} to {last} is required")
    missing = [f"{_name(owner)}.{name}" for owner, names in _NAMES.items() for name in names if not _has(owner, name)]
    if missing:
        raise UnsupportedCelery(f"the installed Celery {celery.__version__} lacks {', '.join(missing)}: reinstall it")


def exception_of(info: ExceptionInfo) -> BaseException:
    """Returns the exception that a pool child sent, without billiard's wrapper."""
    exception: Any = info.exception
    unwrapped: BaseException = exception.exc if isinstance(exception, ExceptionWithTraceback) else exception
    return unwrapped


def info_of(error: BaseException) -> ExceptionInfo:
    """Returns the form in which Celery passes an exception on."""
    try:
        raise error
    except type(error):
        return ExceptionInfo()


def can_terminate(task_pool: Any) -> bool:
    """Returns whether a pool can end a task that runs."""
    return getattr(task_pool.terminate_job, "__func__", None) is not BasePool.terminate_job


def _name(owner: type | ModuleType) -> str:
    return getattr(owner, "__qualname__", owner.__name__)


def _has(owner: type | ModuleType, name: str) -> bool:
    missing = object()
    return inspect.getattr_static(owner, name, missing) is not missing
