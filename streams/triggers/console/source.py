"""The port through which the console reads sessions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from triggers.core.events import Event
from triggers.core.view import SessionSummary


class Source(Protocol):
    """Reads sessions and their events. The console calls it from several threads at once; every method blocks."""

    def summaries(self, prefix: str, limit: int) -> list[SessionSummary]:
        """Return the first `limit` sessions by UID. Raises TryAgain."""

    def events(self, uid: str) -> list[Event]:
        """Return all events of the session in the order in which they were applied.

        Raises SessionNotFound, EventsExpired, TryAgain.
        """

    def every(self) -> Iterator[tuple[str, Event]]:
        """Yield session and event of all events; the events of a session are in their order. Raises TryAgain."""
