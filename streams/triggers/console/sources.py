"""Where the console's sessions come from: an installation, a recorded log or a capsule."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Protocol

from triggers.analysis.time_travel import view_at
from triggers.client.owners import Owners
from triggers.client.session_events import SessionEvents
from triggers.client.session_reader import SessionReader
from triggers.core.events import Event
from triggers.core.view import SessionSummary
from triggers.errors import SessionNotFound
from triggers.settings import Settings


class Source(Protocol):
    """Reads sessions and their events. The console calls it from several threads at once; every method blocks."""

    def list_sessions(self, prefix: str, limit: int) -> list[SessionSummary]:
        """Return the first `limit` sessions by UID. Raises TryAgain."""

    def read_session(self, uid: str) -> list[Event]:
        """Return all events of the session in the order in which they were applied.

        Raises SessionNotFound, EventsExpired, TryAgain.
        """

    def read_all(self) -> Iterator[tuple[str, Event]]:
        """Yield session and event of all events; the events of a session are in their order. Raises TryAgain."""


class FileSource:
    """A source that holds the whole log in memory, so that every session is available at once."""

    def __init__(self, events: Iterable[tuple[str, Event]]) -> None:
        """Read all events. Raises what the iterable raises."""
        logs: defaultdict[str, list[Event]] = defaultdict(list)
        for uid, event in events:
            logs[uid].append(event)
        self._logs = dict(sorted(logs.items()))

    def list_sessions(self, prefix: str, limit: int) -> list[SessionSummary]:
        uids = [uid for uid in self._logs if uid.startswith(prefix)]
        return [self._summary(uid) for uid in uids[:limit]]

    def read_session(self, uid: str) -> list[Event]:
        if uid not in self._logs:
            raise SessionNotFound(f"the log has no event of session {uid!r}")
        return self._logs[uid]

    def read_all(self) -> Iterator[tuple[str, Event]]:
        return ((uid, event) for uid, events in self._logs.items() for event in events)

    def _summary(self, uid: str) -> SessionSummary:
        view = view_at(uid, self._logs[uid])
        return SessionSummary(
            uid=uid,
            created=view.created,
            modified=view.modified,
            events=view.events,
            instances=len(view.instances),
            unresolved=len(view.unresolved_instances),
            rules=view.rules,
        )


class KafkaSource:
    """A source on Kafka. It is not a member of a group and commits no offset."""

    def __init__(self, settings: Settings) -> None:
        self._reader = SessionReader(settings, Owners(settings))
        self._events = SessionEvents(settings, self._reader)

    def list_sessions(self, prefix: str, limit: int) -> list[SessionSummary]:
        return self._reader.summaries(prefix, limit)

    def read_session(self, uid: str) -> list[Event]:
        return self._events.read_session(uid)

    def read_all(self) -> Iterator[tuple[str, Event]]:
        return self._events.read_all()
