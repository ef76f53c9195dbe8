"""Shields commands from the application's result backend, whose failures must not affect results on Kafka."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from celery import states
from celery.backends.base import DisabledBackend
from kombu.exceptions import EncodeError

from triggers.celery.command_headers import Request, command_of
from triggers.celery.early_reports import send_early
from triggers.celery.reports import kept_reports

log = logging.getLogger(__name__)


def shield_backend(backend: Any, on_success: Callable[[Any, object], None]) -> None:
    """Makes a result backend store the states of commands without being able to change their outcomes. Idempotent.

    `on_success` is called with the request and the result of a command before its success is stored, and what it has
    reported is passed on at once. So neither a backend that does not answer nor a child that dies after storing can
    withhold a result from the session.
    """
    if not isinstance(backend.store_result, _ShieldedStore):
        is_storing = not isinstance(backend, DisabledBackend)
        backend.store_result = _ShieldedStore(backend.store_result, on_success, is_storing=is_storing)


class _ShieldedStore:
    """Stands in for the backend's own `store_result`, the one method through which Celery stores every state."""

    def __init__(
        self, store: Callable[..., Any], on_success: Callable[[Any, object], None], *, is_storing: bool
    ) -> None:
        self._store = store
        self._is_storing = is_storing
        self._on_success = on_success

    def __call__(self, task_id: str, result: Any, state: str, *positional: Any, **options: Any) -> Any:
        request: Request | None = options.get("request")
        if command_of(request, task_id) is None:
            return self._store(task_id, result, state, *positional, **options)
        if state == states.SUCCESS:
            self._on_success(request, result)
            if self._is_storing and (reports := kept_reports()):
                send_early(task_id, reports)
        try:
            return self._store(task_id, result, state, *positional, **options)
        except EncodeError:  # Celery makes it the task's failure, as it does without Kafka
            raise
        except Exception as error:  # noqa: BLE001  # a backend raises the errors of its own client
            log.warning("the result backend did not store that %s is %s: %s", task_id, state, error)
            return result
