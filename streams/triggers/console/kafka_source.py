"""The console's sessions from an installation: the workers list them, and the topic has their events."""

from __future__ import annotations

from collections.abc import Iterator

from triggers.client.owners import Owners
from triggers.client.session_events import SessionEvents
from triggers.client.session_reader import SessionReader
from triggers.core.events import Event
from triggers.core.view import SessionSummary
from triggers.settings import Settings


class KafkaSource:
    """A source on Kafka. It is not a member of a group and commits no offset."""

    def __init__(self, settings: Settings) -> None:
        self._reader = SessionReader(settings, Owners(settings))
        self._events = SessionEvents(settings, self._reader)

    def summaries(self, prefix: str, limit: int) -> list[SessionSummary]:
        return self._reader.summaries(prefix, limit)

    def events(self, uid: str) -> list[Event]:
        return self._events.of(uid)

    def every(self) -> Iterator[tuple[str, Event]]:
        return self._events.every()
