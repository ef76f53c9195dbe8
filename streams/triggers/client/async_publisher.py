"""`AsyncPublisher`: publishes events from an event loop, without a thread for each event that waits for the broker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Final, NamedTuple, TypeVar

from confluent_kafka import Producer

from triggers.client.circuit import Circuit
from triggers.client.publishing_spans import publishing_span
from triggers.codec import check_event, encode_event, encode_key, trace_headers
from triggers.core.events import Event
from triggers.errors import BrokerUnavailable, Overloaded, TopicMissing, TriggersError
from triggers.kafka.reachability import check_reachable
from triggers.kafka.records import Header
from triggers.kafka.sender import Coordinates, KafkaSender, RecordInFlight
from triggers.settings import Settings
from triggers.topology import Topology

_LINGER_MS: Final = 5
"""Time for which an event waits for others. Concurrent requests share batches; a single one takes this much longer."""
_POLL_EVERY_S: Final = 0.001
"""Time between two polls for delivery reports, while events are in flight."""
_CLOSE_SLACK_S: Final = 2.0
"""librdkafka reports a delivery that timed out up to a second late."""
MAX_EVENTS: Final = 20_000
"""Default of the maximum number of unacknowledged events, about as many as a busy broker acknowledges in a second."""
MAX_BYTES: Final = 64 * 1024 * 1024
"""Default of the maximum size of unacknowledged events. Both are far below the limits of librdkafka's queue, where
`produce` would fail."""

_ITEMS_PER_TURN: Final = 200
"""Number of events that are encoded or sent before other tasks run: about five milliseconds' work."""
T = TypeVar("T")

Outgoing = tuple[str, Event]
"""A session's UID and its event."""


class _Record(NamedTuple):
    key: bytes
    value: bytes
    headers: Sequence[Header]


async def _in_turns(items: Sequence[T]) -> AsyncIterator[T]:
    """Yields the items, and lets other tasks of the loop run at intervals, so that large batches do not block them."""
    for number, item in enumerate(items, 1):
        yield item
        if number % _ITEMS_PER_TURN == 0:
            await asyncio.sleep(0)


class AsyncPublisher:
    """Publishes events for the callers of one event loop. It connects on first use.

    librdkafka's delivery reports are polled by a timer of the loop while events are in flight. A thread that polled
    would take the GIL from the loop for each report, which costs more than the report itself and delays the loop. All
    methods must be called in the loop.
    """

    def __init__(
        self, settings: Settings, source: str = "", *, max_events: int = MAX_EVENTS, max_bytes: int = MAX_BYTES
    ) -> None:
        """`source` names the publisher in the records of events that name none."""
        self._settings = settings
        self._source = source
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._topic = Topology(settings.namespace).events
        self._sender = KafkaSender(settings, _LINGER_MS)
        self._circuit = Circuit(lambda: check_reachable(settings))
        self._events = 0
        self._bytes = 0
        self._producers: list[Producer] = []
        """The producers that may have events in flight. Each producer that failed is followed by its successor."""
        self._timer: asyncio.TimerHandle | None = None
        """The next poll. There is one while events are in flight."""
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def in_flight(self) -> int:
        """The number of events that are not acknowledged yet."""
        return self._events

    @property
    def is_broker_unavailable(self) -> bool:
        """True while no broker is known to be available, so that nothing can be published."""
        return self._circuit.is_open

    async def publish(self, uid: str, event: Event, source: str = "") -> Coordinates:
        """Publishes an event and returns its coordinates when it is acknowledged. Raises like `publish_all`."""
        self._circuit.check()
        record = self._encode(uid, event, source)
        self._check_room(1, len(record.value))
        return await self._send(record)

    async def publish_all(self, events: Sequence[Outgoing], source: str = "") -> list[Coordinates]:
        """Publishes events in order and returns their coordinates when all of them are acknowledged.

        Raises CallError, TooLarge, Overloaded and, while no broker is available, BrokerUnavailable before
        anything is sent. Raises BrokerUnavailable after `publish_timeout_s` if one of them was not acknowledged; each
        of them may still have been written. If they have ids, publishing them again is harmless.
        """
        self._circuit.check()
        records = [self._encode(*outgoing, source) async for outgoing in _in_turns(events)]
        self._check_room(len(records), sum(len(record.value) for record in records))
        futures = [self._send(record) async for record in _in_turns(records)]
        coordinates: list[Coordinates] = []
        for result in await asyncio.gather(*futures, return_exceptions=True):
            if isinstance(result, BaseException):
                raise result
            coordinates.append(result)
        return coordinates

    async def close(self) -> None:
        """Waits until all events in flight are acknowledged or have failed, which takes `publish_timeout_s` at most."""
        patience_s = self._settings.publish_timeout_s + _CLOSE_SLACK_S
        with suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), patience_s)
            self._sender.close()

    def _encode(self, uid: str, event: Event, source: str) -> _Record:
        key = encode_key(uid)
        check_event(event, self._settings.max_payload_bytes)
        value = encode_event(event, source or self._source)
        with publishing_span(self._topic, uid, event) as trace:
            return _Record(key, value, trace_headers(trace))

    def _check_room(self, events: int, size: int) -> None:
        """Raises Overloaded if this many more events exceed a limit. An idle publisher takes a batch of any size."""
        is_full = self._events + events > self._max_events or self._bytes + size > self._max_bytes
        if is_full and self._events:
            raise Overloaded(f"{self._events} events wait for the broker's acknowledgement; nothing was sent")

    def _send(self, record: _Record) -> asyncio.Future[Coordinates]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Coordinates] = loop.create_future()
        size = len(record.value)
        on_done = partial(self._resolve, future, size)
        try:
            in_flight = self._sender.enqueue(self._topic, record.key, record.value, record.headers, on_done)
        except TriggersError as error:
            self._on_failure(error)
            future.set_exception(error)
            return future
        self._events += 1
        self._bytes += size
        if not self._producers or self._producers[-1] is not in_flight.producer:
            self._producers.append(in_flight.producer)
        if self._timer is None:
            self._idle.clear()
            self._timer = loop.call_later(_POLL_EVERY_S, self._poll, loop)
        return future

    def _poll(self, loop: asyncio.AbstractEventLoop) -> None:
        """Takes the delivery reports that have come, and polls again later while events are in flight.

        The next poll is scheduled first, so that an error in this one does not leave events without a report.
        """
        self._timer = loop.call_later(_POLL_EVERY_S, self._poll, loop)
        for producer in self._producers:
            producer.poll(0)
        self._producers = [each for each in self._producers[:-1] if len(each)] + self._producers[-1:]
        if not self._events:
            self._timer.cancel()
            self._timer = None
            self._idle.set()

    def _resolve(self, future: asyncio.Future[Coordinates], size: int, in_flight: RecordInFlight) -> None:
        """Resolves the future of a record that is acknowledged or has failed. Called while a producer is polled."""
        self._events -= 1
        self._bytes -= size
        try:
            coordinates = self._sender.coordinates_of(in_flight)
        except TriggersError as error:
            self._on_failure(error)
            if not future.done():
                future.set_exception(error)
        else:
            if not future.done():
                future.set_result(coordinates)

    def _on_failure(self, error: TriggersError) -> None:
        if isinstance(error, BrokerUnavailable) and not isinstance(error, TopicMissing):
            self._circuit.open()
