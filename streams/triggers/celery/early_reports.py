"""Passes the reports of a run on to the worker's main process before the run ends.

That is needed if its result is stored in a result backend, which may be slow. A pool child sends the reports through
the pipe of its outcomes, as a message with a state of our own. In the other pools, the run is in the main process.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from typing import Any, Final

from billiard.pool import SIG_SOFT_TIMEOUT
from billiard.process import current_process

from triggers.celery.reports import Report

Receiver = Callable[[str, Sequence[Report]], None]
"""Gets the task id of a run and its reports."""
_STATE: Final = "triggers-reports"
"""The state of the message. Those of billiard and Celery are numbers."""

_receivers: list[Receiver] = []
"""The receiver of this process, if it is the main process of a worker."""


def receive_early_reports(pool: Any, receiver: Receiver) -> None:
    """Makes the main process pass early reports of this pool to `receiver`. Call it after each start of the pool."""
    _receivers[:] = [receiver]
    handler = getattr(getattr(pool, "_pool", None), "_result_handler", None)
    if handler is not None:
        handler.state_handlers[_STATE] = receiver


def send_early(task_id: str, reports: Sequence[Report]) -> None:
    """Passes the reports of a run on. Called in the thread of the run."""
    outcomes = getattr(current_process(), "outq", None)
    if outcomes is None:
        for receiver in _receivers:
            receiver(task_id, reports)
        return
    # A soft time limit would interrupt the message and break the pipe.
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {SIG_SOFT_TIMEOUT})
    try:
        outcomes.put((_STATE, (task_id, reports)))
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
