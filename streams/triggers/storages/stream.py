"""`StreamStorage`: publishes a session's events to Kafka, and reads the session from the worker that owns it."""

from __future__ import annotations

from functools import cache
from typing import Protocol

from triggers.client import Coordinates, KafkaPublisher, SessionReader
from triggers.codec import encode_key
from triggers.core.events import Event
from triggers.core.view import SessionView
from triggers.settings import Settings
from triggers.storages.view_storage import ViewStorage


class EventPublisher(Protocol):
    """Publishes events, such as `KafkaPublisher`."""

    def publish(self, uid: str, event: Event) -> Coordinates:
        """Publishes an event and returns its coordinates. Blocks until it is acknowledged."""


class SessionSource(Protocol):
    """Reads sessions, such as `SessionReader`."""

    def read(self, uid: str, after: Coordinates | None = None) -> SessionView:
        """Returns the session with the record at `after` applied. Blocks until it is."""


class StreamStorage(ViewStorage):
    """The storage of a session on the stream.

    When `write` returns, Kafka has acknowledged the event. A worker applies it later; `read` waits for that. A storage
    is cheap to create: all storages of a process with equal settings share one connection, which is opened on first
    use.
    """

    def __init__(
        self,
        uid: str,
        settings: Settings | None = None,
        *,
        publisher: EventPublisher | None = None,
        source: SessionSource | None = None,
    ) -> None:
        """`settings` default to those of the environment.

        Raises CallError for an invalid UID, and SettingsError for a wrong setting.
        """
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
        """Publishes an event. Blocks until it is acknowledged, at most `publish_timeout_s`.

        Raises BrokerUnavailable after that; the event may have been written nevertheless.
        """
        self._written = self._publisher.publish(self.uid, event)
        self.invalidate_cache()

    def read(self, *, wait: bool = True) -> SessionView:
        """Reads the session from its owner. Blocks for at most `read_timeout_s`, then raises OwnerUnavailable."""
        return self._source.read(self.uid, self._written if wait else None)


@cache
def _connection(settings: Settings) -> tuple[KafkaPublisher, SessionReader]:
    return KafkaPublisher(settings), SessionReader(settings)
