"""Timers of sessions that no worker watches: `TriggerManager.run_due` writes the events of those that are due."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from triggers.core.commands import SetTimer
from triggers.core.decision import Decision
from triggers.core.events import Event, TimerFired
from triggers.core.state.rows import MemoryRows, due_timers
from triggers.core.state.session import Session

RecordEvent = Callable[[Event], Decision | None]
"""Writes an event to the session."""
Written = list[tuple[Event, Decision]]

_LAST: Final = (1 << 63) - 1


def write_due_events(timers: Callable[[], Iterable[SetTimer]], now: int, record: RecordEvent) -> Written:
    """Passes the events of the timers that are due at `now` to `record`, by due time, and returns their decisions.

    `timers` returns those that are due at `now`; it is called again after every event, because one may stop another.
    """
    written: Written = []
    tried: set[SetTimer] = set()
    while (timer := next((each for each in timers() if each not in tried), None)) is not None:
        tried.add(timer)
        event = TimerFired(instance=timer.instance, attempt=timer.attempt, due=timer.due, kind=timer.kind, time=now)
        if (decision := record(event)) is not None:
            written.append((event, decision))
    return written


def next_due(rows: MemoryRows) -> int | None:
    """Returns when the first timer is due, or None if there is none."""
    return next((timer.due for timer in due_timers(rows, _LAST)), None)


def timers_except_cooldowns(session: Session, rows: MemoryRows, until: int = _LAST) -> Iterator[SetTimer]:
    """Yields the timers that are due at `until`, except for cooldowns of edition 1, for which a runner waits."""
    for timer in due_timers(rows, until):
        if not _is_cooldown(session, timer):
            yield timer


def _is_cooldown(session: Session, timer: SetTimer) -> bool:
    if not timer.instance or timer.kind:
        return False
    return session.instances.find(timer.instance).instance.due == timer.due
