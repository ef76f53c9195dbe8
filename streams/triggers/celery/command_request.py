"""`CommandRequest`: Celery's request for a command from Kafka. It publishes the outcome, then settles the command."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from billiard.common import TERM_SIGNAME
from billiard.einfo import ExceptionInfo
from billiard.exceptions import Terminated, TimeLimitExceeded, WorkerLostError
from celery import signals
from celery.exceptions import Reject, TaskRevokedError
from celery.platforms import signals as process_signals
from celery.worker import state
from celery.worker.request import Request

from triggers.celery.batching_publisher import BatchingPublisher
from triggers.celery.celery_private import can_terminate, exception_of, info_of
from triggers.celery.celery_tracer import TracerPool
from triggers.celery.command_headers import command_name
from triggers.celery.command_message import CommandMessage
from triggers.celery.command_source import CommandInHand
from triggers.celery.command_traces import command_trace
from triggers.celery.latch import Latch
from triggers.celery.reports import Report, encode_report, keep_reports
from triggers.celery.run_outcome import ESCAPED, RunOutcome, unpack_info
from triggers.core.events import with_trace
from triggers.errors import TriggersError
from triggers.results.result_events import CommandName, failed_event, started_event

if TYPE_CHECKING:
    from triggers.celery.run_metrics import RunMetrics

log = logging.getLogger(__name__)


class CommandRequest(Request):
    """A request that settles a command instead of acknowledging a message. The task's `acks_late` has no effect.

    The pool returns the reports of a run with its outcome. The command is settled once, after they are on Kafka. A
    command that a shutdown interrupts is not settled, so another worker runs it again. Failures that Celery detects in
    the worker itself, such as a lost child or a hard time limit, are reported once, too.
    """

    is_submitted = False
    """True once the pool has it. Until then, Celery's rate limit may hold it back."""
    is_ended = False
    """True once the outcome is passed to the publisher. Later outcomes are ignored."""
    was_killed_in_shutdown = False
    """True once a cold shutdown has killed its child. The command is left to another worker."""
    _requeue_was_requested = False
    _has_stored_success = False

    def __init__(
        self,
        message: CommandMessage,
        *,
        command: CommandInHand,
        publisher: BatchingPublisher,
        on_ended: Callable[[CommandInHand], None],
        on_reported: Callable[[CommandInHand], None],
        metrics: RunMetrics | None = None,
        **options: Any,
    ) -> None:
        """Calls `on_ended` once when Celery is done with the command, and `on_reported` when the outcome is on Kafka.

        Both are called in any thread. `options` are Celery's.
        """
        self.command, self._publisher = command, publisher
        self._on_ended, self._on_reported = on_ended, on_reported
        self._reports: Sequence[Report] = ()
        """The reports of the run."""
        self._latch: Latch | None = None
        """Opens when the run has ended and early reports are on Kafka."""
        self._run_seconds: float | None = None
        self._metrics = metrics
        self._error: BaseException | None = None
        self._began_at: float | None = None
        """`time.monotonic()` of the start of the run."""
        super().__init__(message, **options)

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
        """Only remembers the call, because there is no message that a broker could deliver again."""
        self._requeue_was_requested = requeue

    def cancel(self, pool: Any, signal: object = None, emit_retry: bool | None = None) -> None:
        """Kills the child in a cold shutdown; another worker runs the command again.

        Celery also calls this without `emit_retry` when the connection to its own broker is lost. Then the task
        continues, because its command came from Kafka.
        """
        if emit_retry is not None and self.time_start:
            self.was_killed_in_shutdown = True
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
        return super().execute_using_pool(TracerPool(pool), **options)

    def on_accepted(self, pid: int, time_accepted: float) -> None:
        """Called when a slot of the pool begins the run, with its `time.monotonic()`."""
        if self.id not in state.revoked:
            started = with_trace(started_event(self._name), command_trace(self.request_dict))
            self._publisher.announce_start(encode_report(self._name, started))
        super().on_accepted(pid, time_accepted)
        self._began_at = time_accepted
        if self._metrics is not None and self.time_start:
            self._metrics.record_start(self.command, self.time_start)

    def report_early(self, reports: Sequence[Report]) -> None:
        """Publishes the reports of a run that has not ended, because its result is stored in the result backend."""
        if self.is_ended or self._reports:
            return
        self._reports, self._latch = reports, Latch(2, self._on_delivered)
        self._publisher.publish(reports, self._latch.count_down)

    def on_success(self, outcome: RunOutcome | ExceptionInfo, **options: Any) -> Any:
        """Called when the pool has an outcome, also a failure, with the reports of the run."""
        if isinstance(outcome, ExceptionInfo):  # sys.exit in a pool without processes
            return self.on_failure(outcome)
        self._reports = self._reports or outcome.reports
        if isinstance(outcome.value, bytes):
            return self.on_failure(unpack_info(outcome.value), return_ok=outcome.code != ESCAPED)
        try:
            return super().on_success((outcome.code, outcome.value, outcome.runtime), **options)
        finally:
            self._end(self._reports or [self._failure(Unreported(f"{self.id} succeeded without a report"))])

    def on_failure(self, exc_info: Any, send_failed_event: bool = True, return_ok: bool = False) -> Any:
        """Reports a failure. A child that died in a shutdown is not a failure."""
        self._error = error = exception_of(exc_info)
        if self.is_ended or (self._is_stopping() and isinstance(error, WorkerLostError | Terminated | SystemExit)):
            return state.task_ready(self)
        with self._report_failures(error, exc_info.traceback) as reports:
            if isinstance(error, MemoryError):  # Celery would end the worker
                return self._memory_error(reported=return_ok)
            handled = super().on_failure(exc_info, send_failed_event=send_failed_event, return_ok=return_ok)
            if self._requeue_was_requested and not isinstance(error, Reject):
                self._fail_rejected(error)
            elif self._has_stored_success or not (reports or isinstance(error, WorkerLostError | SystemExit)):
                reports.append(self._failure(error, exc_info.traceback))
            return handled

    def _success_was_stored(self) -> Any:
        """Celery 5.7 asks for a lost child, and reports nothing if its backend has a success under the task's id.

        That may be of a deleted session with the same name, so the loss is reported. If this run has succeeded, its
        result was reported early, and the failure is not published.
        """
        stored = super()._success_was_stored()
        self._has_stored_success = bool(stored)
        return stored

    def _fail_rejected(self, error: BaseException) -> None:
        """Reports a lost child as Celery does without `reject_on_worker_lost`, with which it reports nothing."""
        lost = WorkerLostError(f"exitcode {error.code}") if isinstance(error, SystemExit) else error
        info = info_of(lost)
        self.task.backend.mark_as_failure(self.id, lost, request=self._context, store_result=self.store_errors)
        task = {"sender": self.task, "task_id": self.id, "args": self.args, "kwargs": self.kwargs}
        signals.task_failure.send(**task, exception=lost, traceback=info.traceback, einfo=info)
        self.send_event("task-failed", exception=repr(lost), traceback=info.traceback)

    def _memory_error(self, *, reported: bool) -> None:
        if not reported:
            raise _Unreportable
        state.task_ready(self)

    def on_timeout(self, soft: bool, timeout: float) -> None:
        """Reports a hard time limit. Celery calls `on_failure` for it as well."""
        if soft:
            super().on_timeout(soft, timeout)
        elif not self.is_ended and not state.should_terminate:
            self._error = TimeLimitExceeded(timeout)
            with self._report_failures(self._error):
                super().on_timeout(soft, timeout)

    def _announce_revoked(self, *reason: Any) -> None:
        if not self.is_ended:
            self._error = TaskRevokedError(str(reason[0]))
            with self._report_failures(self._error):
                super()._announce_revoked(*reason)

    @contextmanager
    def _report_failures(self, error: BaseException, info: str | None = None) -> Iterator[list[Report]]:
        """Ends the command after the block, in which Celery sends the signals of a failure.

        Receivers of these signals find the request on the task's stack. Their reports are published unless the run has
        some of its own. If the block raises, because the result backend does not answer, the failure is reported
        without Celery's signals.
        """
        self.task.request_stack.push(self._context)
        try:
            with keep_reports() as reports:
                yield reports
        except Exception as failure:
            state.task_ready(self)
            self._end(self._reports or [self._failure(error, info)])
            if not isinstance(failure, _Unreportable):
                raise
        else:
            self._end(self._reports or reports)
        finally:
            self.task.request_stack.pop()

    def _is_stopping(self) -> bool:
        flags = (state.should_stop, state.should_terminate)
        return self.was_killed_in_shutdown or any(flag is not None and flag is not False for flag in flags)

    @property
    def _name(self) -> CommandName:
        return command_name(self.command.command)

    def _failure(self, error: BaseException, info: str | None = None) -> Report:
        limit = self._publisher.settings.max_payload_bytes
        failure = failed_event(self._name, error, info, max_payload_bytes=limit)
        return encode_report(self._name, with_trace(failure, command_trace(self.request_dict)))

    def _end(self, reports: Sequence[Report]) -> None:
        """Publishes the reports, and settles the command afterwards. Only the first call has an effect."""
        if self.is_ended:
            return
        self.is_ended = True
        self.acknowledged = True
        self._on_ended(self.command)
        self._run_seconds = self._run_s()
        if self._latch is not None:
            self._error = None
            self._latch.count_down()
        elif reports:
            self._publisher.publish(reports, self._on_delivered)
        else:  # Celery's broker has a message that continues the command
            self._on_delivered()

    def _on_delivered(self) -> None:
        if self._metrics is not None:
            self._metrics.record_end(self.command, self._run_seconds, self._error)
        self._on_reported(self.command)

    def _run_s(self) -> float | None:
        return None if self._began_at is None else time.monotonic() - self._began_at


class Unreported(TriggersError):
    """A task has ended without a report, so its result is not known."""


class _Unreportable(Exception):
    """Celery cannot report this failure."""
