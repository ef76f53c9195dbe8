"""`ResultSignals`: reports results from Celery's signals, in a pool child or, for a lost child, in the worker itself.

It is not a result backend, because one does not see all results (`ignore_result`, unknown tasks) and would replace the
application's own. A receiver must not raise, because Celery only logs that, and the result would be lost.
"""

from __future__ import annotations

from typing import Any

from celery import signals, states
from celery.exceptions import Ignore, NotRegistered, Reject, Retry, TaskRevokedError

from triggers.celery.backend_shield import shield_backend
from triggers.celery.command_headers import command_of
from triggers.celery.command_traces import trace_of_request
from triggers.celery.handovers import cause_of, mark_message, replacement_of, retry_asked
from triggers.celery.reports import kept_reports
from triggers.celery.result_publisher import ResultPublisher
from triggers.celery.run_reports import RunReports, log_level, raised_exception
from triggers.celery.run_tracing import begin_run, end_run, record_failure
from triggers.codec.encodable_text import encodable
from triggers.core.events import with_trace
from triggers.results.result_events import class_name, metadata_event, started_event


class ResultSignals:
    """Receives Celery's signals and reports them as events."""

    def __init__(self, publisher: ResultPublisher) -> None:
        self._publisher = publisher
        self._reports = RunReports(publisher)

    def connect(self) -> None:
        """Connects the receivers in this process. Forked children inherit them."""
        for signal, receiver in (
            (signals.before_task_publish, mark_message),
            (signals.task_prerun, self._on_prerun),
            (signals.task_success, self._on_success),
            (signals.task_failure, self._on_failure),
            (signals.task_internal_error, self._on_internal_error),
            (signals.task_retry, self._on_retry),
            (signals.task_postrun, self._on_postrun),
            (signals.task_revoked, self._on_revoked),
            (signals.task_unknown, self._on_unknown),
        ):
            signal.connect(receiver, weak=False)

    def _on_prerun(self, sender: Any, task_id: str, **_: object) -> None:
        if name := command_of(sender.request, task_id):
            self._reports.begin_run()
            shield_backend(sender.backend, self._reports.report_success)
            begin_run(sender.request, name)
            if kept_reports() is None:  # otherwise the main process, which the pool tells of the run, announces it
                event = with_trace(started_event(name), trace_of_request(sender.request))
                self._publisher.send_unacknowledged(name, event)

    def _on_success(self, sender: Any, result: object, **_: object) -> None:
        self._reports.report_success(sender.request, result)

    def _on_failure(self, sender: Any, task_id: str, exception: Exception, einfo: Any = None, **_: object) -> None:
        if isinstance(exception, Reject):  # `_on_postrun` reports it
            return
        raised = raised_exception(exception)
        record_failure(task_id, raised)
        self._reports.report_failure(sender.request, task_id, raised, _traceback_text(einfo))

    def _on_internal_error(self, sender: Any, task_id: str, exception: Exception, **options: Any) -> None:
        request = options.get("request") or sender.request  # the tracer has removed the latter already
        self._reports.report_failure(request, task_id, exception)

    def _on_retry(self, sender: Any, request: Any, reason: Any, **_: object) -> None:
        """Reports a retry that the engine carries out, and stores one that the application's broker has as metadata."""
        name = command_of(request, request.id)
        if name is None or not isinstance(reason, Retry):
            return
        asked = retry_asked(sender, request, reason, log_level(request))
        if asked is not None:
            self._reports.report_verdict(request, asked)
            return
        cause = cause_of(reason)
        retry = {"retries": request.retries + 1, "exceptionType": None if cause is None else class_name(cause)}
        metadata = {"celeryRetry": retry | {"reason": encodable(str(reason))}}
        self._reports.add_event(name, metadata_event(name, metadata))

    def _on_postrun(self, sender: Any, task_id: str, retval: object, state: str, **_: object) -> None:
        """Reports tasks that raised Ignore or Reject, which Celery counts neither as successes nor as failures."""
        self._report_ignored(sender, task_id, retval, state)
        end_run(task_id, state)

    def _report_ignored(self, sender: Any, task_id: str, retval: object, state: str) -> None:
        if state not in {states.IGNORED, states.REJECTED} or not isinstance(retval, Ignore | Reject):
            return
        request = sender.request
        replacement = replacement_of(request, retval) if isinstance(retval, Ignore) else None
        if replacement is None:
            self._reports.report_failure(request, task_id, _reason(retval))
        elif name := command_of(request, task_id):
            self._reports.add_event(name, metadata_event(name, {"replacedBy": replacement}))

    def _on_revoked(self, request: Any, *, expired: bool = False, **_: object) -> None:
        error = TaskRevokedError(f"{request.id} {'has expired' if expired else 'was revoked'}")
        self._reports.report_failure(request, request.id, error)

    def _on_unknown(self, message: Any, name: str, **options: Any) -> None:
        self._reports.report_failure(message.headers, options["id"], NotRegistered(name))


def _reason(ended: Ignore | Reject) -> BaseException:
    """Returns the cause of a Reject if it has one, such as the error with which Celery could not send a retry."""
    reason = getattr(ended, "reason", None)
    return reason if isinstance(reason, BaseException) else ended


def _traceback_text(einfo: Any) -> str | None:
    text = getattr(einfo, "traceback", None)
    return text if isinstance(text, str) and text else None
