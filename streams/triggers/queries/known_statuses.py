"""Tells a misspelt status from one that no instance has at the moment. An application may have statuses of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from triggers.core.statuses import CANCELLED, DELAYED, EXPIRED, Status
from triggers.errors import CallError
from triggers.queries.answers import StatusCounts
from triggers.queries.index_rows import OTHERS

STATUSES: Final = (*map(str, Status), DELAYED, EXPIRED, CANCELLED)
"""The statuses of the framework, in both editions."""


def check_status(status: str | None, count_statuses: Callable[[], StatusCounts]) -> None:
    """Raises CallError if the framework does not know a status and no instance of any session has it now.

    Call it when a search has found nothing. Instances are counted only if the framework does not know the status. If
    the counts are incomplete, every status is accepted.
    """
    if status is None or status in STATUSES:
        return
    answer = count_statuses()
    others = {each.status for each in answer.counts}.difference(STATUSES)
    if answer.missing or answer.counting or others & {status, OTHERS}:
        return
    own = f", or one of the application's own: {', '.join(sorted(others))}" if others else ""
    raise CallError(f"status is {status!r:.100}, which no instance has; it must be one of {', '.join(STATUSES)}{own}")
