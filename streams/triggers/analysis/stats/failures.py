"""Counts why instances failed: ever, and still at the end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

FailureKey = tuple[str, str, str]
"""Task, class of the exception, and its text."""

MAX_REASONS: Final = 1000
_OTHERS: Final = "(other messages)"
_MAX_MESSAGE: Final = 500


class FailureRow(Struct, kw_only=True):
    """Failures of a task whose exceptions have the same class and text."""

    task: str
    exception: str
    message: str
    failed: int = 0
    """The number of times in the period that an instance failed for this reason."""
    failed_now: int = 0
    """The number of instances that are failed for this reason at the end."""
    sessions: int = 0
    example: str = ""
    """UID of one of the sessions; of one in which an instance is still failed, if there is one."""


class Failures:
    """Adds up the failures of sessions. Beyond 1,000 reasons, those with different messages are counted together."""

    def __init__(self) -> None:
        self._rows: dict[FailureKey, FailureRow] = {}

    def add(self, session: str, ever: Mapping[FailureKey, int], now: Mapping[FailureKey, int]) -> None:
        """Adds the failures of a session."""
        for reason in {**ever, **now}:
            row = self._row(reason)
            row.failed += ever.get(reason, 0)
            still = now.get(reason, 0)
            if not row.example or (still and not row.failed_now):
                row.example = session
            row.failed_now += still
            row.sessions += 1

    def result(self) -> list[FailureRow]:
        """Returns the rows."""
        return sorted(self._rows.values(), key=lambda row: (-row.failed_now, -row.failed, row.task, row.message))

    def _row(self, reason: FailureKey) -> FailureRow:
        if reason not in self._rows and len(self._rows) >= MAX_REASONS:
            reason = *reason[:2], _OTHERS
        task, exception, message = reason
        return self._rows.setdefault(reason, FailureRow(task=task, exception=exception, message=message))


def failure_key(task: str, exception: str, message: str) -> FailureKey:
    """Returns the key of a failure, with the message on one line and truncated."""
    return task, exception, " ".join(message.split())[:_MAX_MESSAGE]
