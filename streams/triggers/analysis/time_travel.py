"""A session as it was: the fold of its events up to a moment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import NamedTuple

from triggers.analysis.driver import MemoryDriver
from triggers.core.events import Event
from triggers.core.view import SessionView
from triggers.errors import CallError, NotFound, SessionNotFound


class Moment(NamedTuple):
    """A place in a session's log: just after an offset, or just before the first event that is later than a time."""

    offset: int | None = None
    time: int | None = None
    """Milliseconds since 1970-01-01 UTC."""

    def is_before(self, event: Event) -> bool:
        """Whether the event comes after this moment."""
        if self.offset is not None:
            return event.position > self.offset
        return self.time is not None and event.time > self.time


NOW = Moment()


def view_at(uid: str, events: Iterable[Event], moment: Moment = NOW) -> SessionView:
    """The session at the moment. What it refused counts for nothing. Raises SessionNotFound: it began later."""
    driver = MemoryDriver()
    for event in _until(events, moment):
        with suppress(CallError, NotFound):
            driver.apply(uid, event)
    found = driver.view(uid)
    if not found.events:
        raise SessionNotFound(f"session {uid!r} had no event at that moment")
    return found


def _until(events: Iterable[Event], moment: Moment) -> Iterator[Event]:
    for event in events:
        if moment.is_before(event):
            return
        yield event
