"""Returns past states of a session, by folding its events up to a moment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import NamedTuple

from triggers.analysis.driver import MemoryDriver
from triggers.analysis.times import utc_milliseconds
from triggers.core.events import Event
from triggers.core.view import SessionView
from triggers.errors import CallError, NotFound, SessionNotFound


class Moment(NamedTuple):
    """A point in a session's log: just after an offset, or just before the first event that is later than a time."""

    offset: int | None = None
    time: int | None = None
    """Milliseconds since 1970-01-01 UTC."""

    def is_before(self, event: Event) -> bool:
        """Returns whether this moment is before the event."""
        if self.offset is not None:
            return event.position > self.offset
        return self.time is not None and event.time > self.time


NOW = Moment()


def parse_moment(text: str) -> Moment:
    """Parses a time, or an offset (`17`, or `3/17` with its partition), meaning just after it. Raises ValueError."""
    offset = text.rpartition("/")[2]
    if offset.isascii() and offset.isdecimal() and text.count("/") <= 1:
        return Moment(offset=int(offset))
    try:
        return Moment(time=utc_milliseconds(text))
    except ValueError:
        raise ValueError(f"{text!r} is neither an offset nor a time such as 2024-03-01T10:20:30Z") from None


def view_at(uid: str, events: Iterable[Event], moment: Moment = NOW) -> SessionView:
    """Returns the session at the moment, without events that it refused. Raises SessionNotFound if it began later."""
    driver = MemoryDriver()
    for event in until(events, moment):
        with suppress(CallError, NotFound):
            driver.apply(uid, event)
    session = driver.view(uid)
    if not session.events:
        raise SessionNotFound(f"session {uid!r} had no event at that moment")
    return session


def until(events: Iterable[Event], moment: Moment) -> Iterator[Event]:
    """Yields the events up to the moment."""
    for event in events:
        if moment.is_before(event):
            return
        yield event
