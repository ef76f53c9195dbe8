"""`RunReports`: reports what became of a run of a command. No error of the result or the exception can prevent it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any, Final

from celery.exceptions import SoftTimeLimitExceeded
from celery.utils.serialization import UnpickleableExceptionWrapper

from triggers.celery.command_headers import Request, command_of
from triggers.celery.command_traces import trace_of_request
from triggers.celery.handovers import part_of
from triggers.celery.reports import encode_report, kept_reports
from triggers.celery.result_publisher import ResultPublisher
from triggers.core.events import Event, with_trace
from triggers.core.trace_context import TraceContext
from triggers.results.result_events import CommandName, Verdict, failed_event, finished_event, verdict_event

VERDICT: Final = "triggers_verdict"
"""Key of the request under which a `TriggerTask` stores its `Verdict`."""
LOG_LEVEL: Final = "triggers_log_level"
"""Key of the request under which a `TriggerTask` stores the highest level that it logged."""


class _Run(threading.local):
    """The run of this thread. Celery's last signals of a run come without its request, so that cannot carry this."""

    reported: CommandName | None = None
    """The command whose outcome is reported."""


class RunReports:
    """Reports the outcomes of runs, the first one of each run. Requests that are not commands are ignored.

    While `keep_reports` keeps the reports of this thread, nothing is published. Otherwise each method blocks until its
    event is on Kafka.
    """

    def __init__(self, publisher: ResultPublisher) -> None:
        self._publisher = publisher
        self._limit = publisher.settings.max_payload_bytes
        self._run = _Run()

    def begin_run(self) -> None:
        """Called when a run of a command begins in this thread, which may be one that was reported before."""
        self._run.reported = None

    def report_success(self, request: Any, result: object) -> None:
        """Reports what the task returned, or its verdict."""
        name, trace = command_of(request, request.id), trace_of_request(request)
        self._report(name, trace, lambda name: self._success(name, request, result))

    def report_failure(self, request: Any, task_id: str, error: BaseException, info: str | None = None) -> None:
        """Reports a failure, also that of a part of what replaced a command."""
        name = command_of(request, task_id) or part_of(request)
        trace = trace_of_request(request)
        self._report(name, trace, lambda name: self._failure(name, error, info, log_level(request)))

    def report_verdict(self, request: Any, verdict: Verdict) -> None:
        """Reports a retry."""
        name, trace = command_of(request, request.id), trace_of_request(request)
        self._report(name, trace, lambda name: verdict_event(name, verdict, self._limit))

    def add_event(self, name: CommandName, event: Event) -> None:
        """Reports an event that is not the outcome of the run."""
        kept = kept_reports()
        if kept is None:
            self._publisher.publish(name, event)
        else:
            kept.append(encode_report(name, event))

    def _success(self, name: CommandName, request: Request, result: object) -> Event:
        verdict: Any = request.get(VERDICT)
        if verdict is not None:
            return verdict_event(name, verdict, self._limit)
        return finished_event(name, result, log_level(request), self._limit)

    def _failure(self, name: CommandName, error: BaseException, info: str | None, level: int) -> Event:
        return failed_event(name, error, info, log_level=level, max_payload_bytes=self._limit)

    def _report(
        self, name: CommandName | None, trace: TraceContext | None, outcome: Callable[[CommandName], Event]
    ) -> None:
        if name is None or name == self._run.reported:
            return
        try:
            self.add_event(name, with_trace(outcome(name), trace))
        except SoftTimeLimitExceeded:  # it is raised once, at any line; the task itself has ended
            self.add_event(name, with_trace(outcome(name), trace))
        except Exception as error:  # noqa: BLE001  # methods of the result object raised
            self.add_event(name, with_trace(self._failure(name, error, None, 0), trace))
        self._run.reported = name


def raised_exception(exception: BaseException) -> BaseException:
    """Returns the exception that the task raised. Celery replaces an exception that cannot be pickled."""
    raised = sys.exc_info()[1]
    if raised is None:
        return exception
    is_stand_in = isinstance(exception, UnpickleableExceptionWrapper) or isinstance(raised, type(exception))
    return raised if is_stand_in else exception


def log_level(request: Any) -> int:
    """Returns the highest level that the task logged."""
    level = request.get(LOG_LEVEL) if request is not None else None
    return level if isinstance(level, int) else 0
