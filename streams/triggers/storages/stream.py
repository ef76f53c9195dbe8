"""A session in the stream: events go to Kafka, reading asks the worker that owns the session."""

from __future__ import annotations

from functools import cache
from typing import Protocol

from triggers.client import Coordinates, KafkaPublisher, SessionReader
from triggers.codec import encode_key
from triggers.core.events import Event
from triggers.core.view import SessionView
from triggers.settings import Settings
from triggers.storages.viewed import ViewedStorage


class EventPublisher(Protocol):
    """Publishes events; `KafkaPublisher` for one."""

    def publish(self, uid: str, event: Event) -> Coordinates:
        """Block until the event is safe."""


class SessionSource(Protocol):
    """Reads sessions; `SessionReader` for one."""

    def read(self, uid: str, after: Coordinates | None = None) -> SessionView:
        """The session, with the record at `after` applied."""


class StreamStorage(ViewedStorage):
    """Writes are safe on Kafka when `write` returns; the engine applies them a moment later, and `read` waits for that.

    Cheap to make: all of a process share one connection per settings, which is made at the first use.
    """

    def __init__(
        self,
        uid: str,
        settings: Settings | None = None,
        *,
        publisher: EventPublisher | None = None,
        source: SessionSource | None = None,
    ) -> None:
        """Without settings, those of the environment. Raises CallError for an impossible UID, SettingsError."""
        super().__init__()
        encode_key(uid)
        self.uid = uid
        if publisher is None or source is None:
            shared_publisher, shared_source = _connection(settings or Settings.from_env())
            publisher, source = publisher or shared_publisher, source or shared_source
        self._publisher: EventPublisher = publisher
        self._source: SessionSource = source
        self._written: Coordinates | None = None

    def write(self, event: Event) -> None:
        """See `Storage`. Blocks up to `publish_timeout_s`."""
        self._written = self._publisher.publish(self.uid, event)
        self.invalidate_cache()

    def read(self, *, wait: bool = True) -> SessionView:
        """See `Storage`. Blocks up to `read_timeout_s`."""
        return self._source.read(self.uid, self._written if wait else None)


@cache
def _connection(settings: Settings) -> tuple[KafkaPublisher, SessionReader]:
    return KafkaPublisher(settings), SessionReader(settings)
