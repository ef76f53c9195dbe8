"""`RunOutcome`: what a pool child returns of a run, with the reports that the main process publishes.

Exceptions are pickled in the child and unpickled where the result is handled. So an exception that cannot be pickled,
or whose class the main process cannot import, neither loses the reports nor ends the worker.
"""

from __future__ import annotations

import pickle
from typing import Final, NamedTuple

from billiard.einfo import ExceptionInfo
from celery.utils.serialization import get_pickleable_exception

from triggers.celery.celery_private import exception_of, info_of
from triggers.celery.reports import Report
from triggers.errors import TriggersError

ESCAPED: Final = 2
"""Code of an exception that left Celery's tracer. Celery's own codes are 0 (success) and 1 (reported failure)."""


class UnreadableException(TriggersError):
    """The exception of a task cannot be unpickled in the worker's main process."""


class RunOutcome(NamedTuple):
    """The end of a run."""

    code: int
    """0, 1 or ESCAPED."""
    value: object
    """The shortened `repr` of the result or, unless the code is 0, the bytes of an `ExceptionInfo`."""
    runtime: float
    """Seconds."""
    reports: list[Report]


def pack_info(info: ExceptionInfo) -> bytes:
    """Pickles an exception and its traceback. Replaces an exception that cannot be pickled, as Celery does."""
    try:
        return pickle.dumps(info)
    except Exception:  # noqa: BLE001  # methods of the user's object raised
        return pickle.dumps(info_of(get_pickleable_exception(exception_of(info))))


def unpack_info(packed: bytes) -> ExceptionInfo:
    """Unpickles an exception. Returns an UnreadableException if that fails."""
    try:
        info: ExceptionInfo = pickle.loads(packed)  # noqa: S301  # it comes from this worker's own child
    except Exception as error:  # noqa: BLE001  # the user's module or class raised
        return info_of(UnreadableException(f"the exception of the task cannot be unpickled here: {error!r}"))
    return info
