"""Hop 1: publishes events."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from triggers.client.kafka_sender import Coordinates, Delivery, KafkaSender
from triggers.codec import check_event, encode_event, encode_key
from triggers.core.events import Event
from triggers.settings import Settings
from triggers.topology import Topology


class KafkaPublisher:
    """Writes events to `<ns>.events`. Thread-safe; usable before and after a fork; connects on first use."""

    def __init__(self, settings: Settings, source: str = "") -> None:
        """`source`: who writes, for people who read the topic."""
        self._settings = settings
        self._source = source
        self._topic = Topology(settings.namespace).events
        self._sender = KafkaSender(settings)

    def publish(self, uid: str, event: Event) -> Coordinates:
        """Publish one event and block until it is safe, at most `publish_timeout_s`.

        Raises CallError (a UID or text that cannot be encoded), TooLarge, and BrokerUnavailable, after which the event
        may have been written nevertheless; with an `id`, publishing it again is harmless.
        """
        return self._sender.wait(self._send(uid, event))

    def publish_many(self, events: Iterable[tuple[str, Event]], in_flight: int = 5000) -> Iterator[Coordinates]:
        """Publish in order, at most `in_flight` unacknowledged; yields the coordinates of each as it becomes safe.

        Nothing is published before the first `next`. Raises like `publish` at the place of the event that failed;
        of those behind it, some may have been written.
        """
        pending: deque[Delivery] = deque()
        for uid, event in events:
            pending.append(self._send(uid, event))
            while pending and (pending[0].done or len(pending) >= in_flight):
                yield self._sender.wait(pending.popleft())
        while pending:
            yield self._sender.wait(pending.popleft())

    def close(self) -> None:
        """Wait for what is under way. The publisher may be used again."""
        self._sender.close()

    def _send(self, uid: str, event: Event) -> Delivery:
        key = encode_key(uid)
        check_event(event, self._settings.max_payload_bytes)
        return self._sender.send(self._topic, key, encode_event(event, self._source))
