"""The timers of a partition, which are rows in the order of their due times."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from triggers.core.commands import SetTimer
from triggers.core.rows import TIMERS, Rows, parse_timer_key

TIMER_ROW: Final = b"\x01"
"""Value of a timer's row. All facts are in the key, but some readers of the changelog take an empty value for a
deletion."""


def due_timers(rows: Rows, now: int) -> Iterator[SetTimer]:
    """Yields the timers that are due at `now` (milliseconds) or earlier, by due time. Reads one row beyond them."""
    for key, _ in rows.scan(TIMERS):
        due, uid, instance, attempt = parse_timer_key(key)
        if due > now:
            return
        yield SetTimer(session=uid, instance=instance, attempt=attempt, due=due)
