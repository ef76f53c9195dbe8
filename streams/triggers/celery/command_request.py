"""`CommandRequest`: Celery's request for a command from Kafka. It settles the command when the outcome is on Kafka."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any, Final

import msgspec
from billiard.common import TERM_SIGNAME
from billiard.einfo import ExceptionInfo
from billiard.exceptions import Terminated, TimeLimitExceeded, WorkerLostError
from celery.app.trace import fast_trace_task, trace_task_ret
from celery.exceptions import TaskRevokedError
from celery.platforms import signals as process_signals
from celery.utils.imports import symbol_by_name
from celery.utils.saferepr import saferepr
from celery.worker import state
from celery.worker.request import Request

from triggers.celery.celery_private import can_terminate, exception_of
from triggers.celery.command_headers import command_headers, command_name
from triggers.celery.command_source import CommandInHand
from triggers.celery.result_publisher import ResultPublisher
from triggers.celery.routing import expiry_of
from triggers.core.commands import RunTask
from triggers.results.outcomes import failed_event

log = logging.getLogger(__name__)

_REPR_CHARACTERS: Final = 1024
_ESCAPED: Final = 2
"""Code of an exception that left Celery's tracer. Celery's own codes are 0 (success) and 1 (reported failure)."""


class CommandRequest(Request):
    """A request that settles a command instead of acknowledging a message. The task's `acks_late` has no effect.

    The command is settled once, after its outcome is on Kafka. A command that a shutdown interrupts is not settled, so
    another worker runs it again. Failures that Celery detects in the worker itself, such as a lost child or a hard time
    limit, are reported once, too.
    """

    command: CommandInHand
    is_submitted = False
    """True if the pool has it. Before, Celery's rate limit may hold it back."""
    is_reported = False
    is_returned = False
    _settle: Callable[[CommandInHand], None]
    _publisher: ResultPublisher

    def bind(
        self, command: CommandInHand, settle: Callable[[CommandInHand], None], publisher: ResultPublisher
    ) -> CommandRequest:
        """Sets the command, the callback for its end, and the publisher of its outcome. Returns the request."""
        self.command, self._settle, self._publisher = command, settle, publisher
        return self

    def announce_received(self) -> None:
        """Sends the event `task-received` to monitors, with the fields that it has for a broker's message."""
        self.send_event(
            "task-received",
            name=self.name,
            args=self.argsrepr,
            kwargs=self.kwargsrepr,
            root_id=self.root_id,
            parent_id=self.parent_id,
            retries=self.request_dict["retries"],
            eta=None,
            expires=self.expires and self.expires.isoformat(),
        )

    def acknowledge(self) -> None:
        """Does nothing, because Celery calls it before it has reported a lost child."""

    def reject(self, requeue: bool = False) -> None:
        """Does nothing, like `acknowledge`."""

    def cancel(self, pool: Any, signal: object = None, emit_retry: bool | None = None) -> None:
        """Kills the child in a cold shutdown; another worker runs the command again.

        Celery also calls this without `emit_retry` when the connection to its own broker is lost. Then the task
        continues, because its command came from Kafka.
        """
        if emit_retry is not None and self.time_start:
            self.is_returned = True
            with suppress(NotImplementedError):  # a pool without processes
                pool.terminate_job(self.worker_pid, process_signals.signum(signal or TERM_SIGNAME))

    def end_attempt(self, pool: Any, *, terminate: bool) -> None:
        """Makes sure that an attempt that has not begun does not begin. With `terminate`, ends one that runs.

        Called for a cancelled instance. Whatever is reported about the attempt is stale.
        """
        if not self.time_start:
            state.revoked.add(self.id)
        if not terminate:
            return
        if not can_terminate(pool):
            log.warning("%s was cancelled and runs to its end: only a prefork pool can end a task", self.id)
            return
        self.terminate(pool)

    def execute_using_pool(self, pool: Any, **options: Any) -> Any:
        self.is_submitted = True
        return super().execute_using_pool(_Tracing(pool), **options)

    def on_success(self, outcome: Any, **options: Any) -> Any:
        """Called when the pool has an outcome, also a failure. The child has already reported it."""
        if isinstance(outcome, ExceptionInfo):  # sys.exit in a pool without processes
            return self.on_failure(outcome)
        if outcome[0]:
            return self.on_failure(outcome[1], return_ok=outcome[0] != _ESCAPED)
        try:
            return super().on_success(outcome, **options)
        finally:
            self._settle_once()

    def on_failure(self, exc_info: Any, send_failed_event: bool = True, return_ok: bool = False) -> Any:
        """Reports a failure. A child that died in a shutdown is not a failure."""
        error = exception_of(exc_info)
        if self.is_reported or (self._is_stopping() and isinstance(error, WorkerLostError | Terminated | SystemExit)):
            return state.task_ready(self)
        with self._report_failures(error, exc_info.traceback):
            if isinstance(error, MemoryError):  # Celery would end the worker
                return self._memory_error(reported=return_ok)
            return super().on_failure(exc_info, send_failed_event=send_failed_event, return_ok=return_ok)

    def _memory_error(self, *, reported: bool) -> None:
        if not reported:
            raise _Unreportable
        state.task_ready(self)

    def on_timeout(self, soft: bool, timeout: float) -> None:
        """Reports a hard time limit. Celery calls `on_failure` for it as well."""
        if soft:
            super().on_timeout(soft, timeout)
        elif not self.is_reported and not state.should_terminate:
            with self._report_failures(TimeLimitExceeded(timeout)):
                super().on_timeout(soft, timeout)

    def _announce_revoked(self, *reason: Any) -> None:
        if not self.is_reported:
            with self._report_failures(TaskRevokedError(str(reason[0]))):
                super()._announce_revoked(*reason)

    @contextmanager
    def _report_failures(self, error: BaseException, info: str | None = None) -> Iterator[None]:
        """Settles the command after the block, in which Celery sends the signals of a failure.

        Receivers of these signals find the request on the task's stack. If the block raises, because the result backend
        does not answer, the failure is published without Celery's signals.
        """
        self.task.request_stack.push(self._context)
        try:
            yield
        except Exception as failure:
            state.task_ready(self)
            self._report(error, info)
            self._settle_once()
            if not isinstance(failure, _Unreportable):
                raise
        else:
            self._settle_once()
        finally:
            self.task.request_stack.pop()

    def _is_stopping(self) -> bool:
        flags = (state.should_stop, state.should_terminate)
        return self.is_returned or any(flag is not None and flag is not False for flag in flags)

    def _report(self, error: BaseException, info: str | None) -> None:
        name = command_name(self.command.command)
        limit = self._publisher.settings.max_payload_bytes
        self._publisher.publish(name, failed_event(name, error, info, max_payload_bytes=limit))

    def _settle_once(self) -> None:
        if not self.is_reported:
            self.is_reported = True
            self.acknowledged = True
            self._settle(self.command)


class _Unreportable(Exception):
    """Celery cannot report this failure."""


class _Tracing:
    """A pool that runs Celery's tracer inside `_traced`."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool

    def apply_async(self, trace: Any, **options: Any) -> Any:
        tracer = fast_trace if trace is fast_trace_task else slow_trace
        return self._pool.apply_async(tracer, **options)


def fast_trace(*args: Any, **kwargs: Any) -> Any:
    """Runs a task. Called in a pool child."""
    return _traced(fast_trace_task, *args, **kwargs)


def slow_trace(*args: Any, **kwargs: Any) -> Any:
    """Runs a task in a process that Celery did not set up. Called in a pool child."""
    return _traced(trace_task_ret, *args, **kwargs)


def _traced(trace: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Returns an exception that leaves Celery's tracer (MemoryError) as an outcome. A thread pool would lose it.

    A task that was cancelled while it waited for a thread of the pool does not run.
    """
    began, task_id = time.monotonic(), args[1]
    try:
        if task_id in state.revoked:
            raise TaskRevokedError(task_id)  # noqa: TRY301  # it is an outcome like the others
        return trace(*args, **kwargs)
    except Exception:  # noqa: BLE001  # any exception is this task's outcome
        return _ESCAPED, ExceptionInfo(), time.monotonic() - began


class _Message:
    """The attributes of a broker's message that Celery's `Request` reads."""

    content_type = content_encoding = None

    def __init__(self, headers: dict[str, Any], body: Any, topic: str) -> None:
        self.headers, self.body, self.payload = headers, body, body
        self.properties: dict[str, Any] = {}
        self.delivery_info = {"routing_key": topic}


def _request_class(task: Any) -> type[CommandRequest]:
    """Returns the class of a task's requests. If the task has a `Request` class of its own, its methods are kept."""
    chosen = symbol_by_name(task.Request)
    return CommandRequest if chosen is Request else _combined_class(chosen)


@cache
def _combined_class(chosen: type[Any]) -> type[CommandRequest]:
    return type(f"Command{chosen.__name__}", (CommandRequest, chosen), {})


def request_for(command: RunTask, topic: str, consumer: Any, issued_ms: int) -> CommandRequest:
    """Returns the request of a command, which must still be bound.

    `consumer` is Celery's. `issued_ms` is the time of the command's record, from which the task's `expires` counts.
    """
    task = consumer.app.tasks[command.run]
    kwargs = msgspec.json.decode(command.kwargs)
    custom = command_headers(command)
    headers = {
        **custom,
        "headers": custom,
        "lang": "py",
        "task": command.run,
        "id": command.id,
        "root_id": command.id,
        "retries": command.depth,
        "expires": expiry_of(task, issued_ms),
        "argsrepr": "()",
        "kwargsrepr": saferepr(kwargs, _REPR_CHARACTERS),
    }
    body = ((), kwargs, {"callbacks": None, "errbacks": None, "chain": None, "chord": None})
    return _request_class(task)(
        _Message(headers, body, topic),
        app=consumer.app,
        hostname=consumer.hostname,
        eventer=consumer.event_dispatcher,
        task=task,
        body=body,
        headers=headers,
        decoded=True,
    )
