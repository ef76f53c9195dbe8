"""Where the console's sessions come from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from triggers.core.events import Event
from triggers.core.view import SessionSummary


class Source(Protocol):
    """Sessions and their events. Used by several threads at once; blocks."""

    def summaries(self, prefix: str, limit: int) -> list[SessionSummary]:
        """The first `limit` sessions by UID. Raises TryAgain."""

    def events(self, uid: str) -> list[Event]:
        """All events of the session, as they were applied. Raises SessionNotFound, EventsExpired, TryAgain."""

    def every(self) -> Iterator[tuple[str, Event]]:
        """Session and event of all there is; those of one session are in their order. Raises TryAgain."""
