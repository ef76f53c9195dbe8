"""`ResultSignals`: publishes results from Celery's signals, in a pool child or, for a lost child, in the worker itself.

It is not a result backend, because one does not see all results (`ignore_result`, unknown tasks) and would replace the
application's own. A receiver must not raise, because Celery only logs that, and the result would be lost.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Final

from celery import signals, states
from celery.exceptions import (
    Ignore,
    NotRegistered,
    Reject,
    SoftTimeLimitExceeded,
    TaskRevokedError,
)
from celery.utils.serialization import UnpickleableExceptionWrapper

from triggers.celery.command_headers import Request, command_of
from triggers.celery.result_publisher import ResultPublisher
from triggers.core.events import Event
from triggers.results.outcomes import CommandName, failed_event, finished_event, started_event, verdict_event

VERDICT: Final = "triggers_verdict"
"""Key of the request under which a `TriggerTask` stores its `Verdict`."""
LOG_LEVEL: Final = "triggers_log_level"
"""Key of the request under which a `TriggerTask` stores the highest level that it logged."""


class ResultSignals:
    """Receives Celery's signals and publishes them as events."""

    def __init__(self, publisher: ResultPublisher) -> None:
        self._publisher = publisher
        self._limit = publisher.settings.max_payload_bytes

    def connect(self) -> None:
        """Connects the receivers in this process. Forked children inherit them."""
        for signal, receiver in (
            (signals.task_prerun, self._on_prerun),
            (signals.task_success, self._on_success),
            (signals.task_failure, self._on_failure),
            (signals.task_internal_error, self._on_internal_error),
            (signals.task_postrun, self._on_postrun),
            (signals.task_revoked, self._on_revoked),
            (signals.task_unknown, self._on_unknown),
        ):
            signal.connect(receiver, weak=False)

    def _on_prerun(self, sender: Any, task_id: str, **_: object) -> None:
        if name := command_of(sender.request, task_id):
            self._publisher.send_unacknowledged(name, started_event(name))

    def _on_success(self, sender: Any, result: object, **_: object) -> None:
        request = sender.request
        self._report(request, request.id, lambda name: self._success(name, request, result))

    def _on_failure(self, sender: Any, task_id: str, exception: Exception, einfo: Any = None, **_: object) -> None:
        if isinstance(exception, Reject):  # `_on_postrun` reports it
            return
        error, level = _raised(exception), _log_level(sender.request)
        info = _text(einfo)
        self._report(sender.request, task_id, lambda name: self._failure(name, error, info, level))

    def _on_internal_error(self, sender: Any, task_id: str, exception: Exception, **options: Any) -> None:
        request = options.get("request")
        self._report(request, task_id, lambda name: self._failure(name, exception, None, _log_level(sender.request)))

    def _on_postrun(self, sender: Any, task_id: str, retval: object, state: str, **_: object) -> None:
        """Reports tasks that raised Ignore or Reject, which Celery counts neither as successes nor as failures."""
        if state in {states.IGNORED, states.REJECTED} and isinstance(retval, Ignore | Reject):
            error, level = _reason(retval), _log_level(sender.request)
            self._report(sender.request, task_id, lambda name: self._failure(name, error, None, level))

    def _on_revoked(self, request: Any, *, expired: bool = False, **_: object) -> None:
        error = TaskRevokedError(f"{request.id} {'has expired' if expired else 'was revoked'}")
        self._report(request, request.id, lambda name: self._failure(name, error, None, 0))

    def _on_unknown(self, message: Any, name: str, id: str, **_: object) -> None:  # noqa: A002  # Celery's name
        error = NotRegistered(name)
        self._report(message.headers, id, lambda command: self._failure(command, error, None, 0))

    def _success(self, name: CommandName, request: Request, result: object) -> Event:
        verdict: Any = request.get(VERDICT)
        if verdict is not None:
            return verdict_event(name, verdict, self._limit)
        return finished_event(name, result, _log_level(request), self._limit)

    def _failure(self, name: CommandName, error: BaseException, info: str | None, level: int) -> Event:
        return failed_event(name, error, info, log_level=level, max_payload_bytes=self._limit)

    def _report(self, request: Request | None, task_id: str, outcome: Callable[[CommandName], Event]) -> None:
        name = command_of(request, task_id)
        if name is None:
            return
        try:
            self._publisher.publish(name, outcome(name))
        except SoftTimeLimitExceeded:  # it is raised once, at any line; the task itself has ended
            self._publisher.publish(name, outcome(name))
        except Exception as error:  # noqa: BLE001  # methods of the result object raised
            self._publisher.publish(name, self._failure(name, error, None, 0))


def _raised(exception: Exception) -> BaseException:
    """Returns the exception that the task raised. Celery replaces an exception that cannot be pickled."""
    raised = sys.exc_info()[1]
    if raised is None:
        return exception
    is_stand_in = isinstance(exception, UnpickleableExceptionWrapper) or isinstance(raised, type(exception))
    return raised if is_stand_in else exception


def _reason(ended: Ignore | Reject) -> BaseException:
    """Returns the cause of a Reject if it has one, as when Celery's own retry cannot send the task."""
    reason = getattr(ended, "reason", None)
    return reason if isinstance(reason, BaseException) else ended


def _text(einfo: Any) -> str | None:
    text = getattr(einfo, "traceback", None)
    return text if isinstance(text, str) and text else None


def _log_level(request: Any) -> int:
    level = request.get(LOG_LEVEL) if request is not None else None
    return level if isinstance(level, int) else 0
