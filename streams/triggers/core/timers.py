"""Timers of a partition: rows in the order of their due times."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from triggers.core.commands import SetTimer
from triggers.core.rows import TIMERS, Rows, parse_timer_key

TIMER_ROW: Final = b"\x01"
"""A timer is its key; an empty row would look like a deletion to some readers of the changelog."""


def due_timers(rows: Rows, now: int) -> Iterator[SetTimer]:
    """Timers due at `now` (milliseconds) or before, the oldest first. Reads no further than the last one."""
    for key, _ in rows.scan(TIMERS):
        due, uid, instance, attempt = parse_timer_key(key)
        if due > now:
            return
        yield SetTimer(session=uid, instance=instance, attempt=attempt, due=due)
