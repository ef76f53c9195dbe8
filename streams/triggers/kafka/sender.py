"""`KafkaSender`: sends records and waits until they are acknowledged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from triggers.errors import BrokerUnavailable, Overloaded, TooLarge, TopicMissing, TriggersError
from triggers.kafka.client_kind import ClientKind
from triggers.kafka.connection import Options, client_options, unavailable
from triggers.kafka.connection_causes import ConnectionCauses
from triggers.kafka.error_codes import MESSAGE_TIMED_OUT, NO_TOPIC, TOO_LARGE
from triggers.kafka.per_process import PerProcess
from triggers.kafka.record_limits import dead_letter_bytes
from triggers.kafka.records import Header
from triggers.settings import Settings

_POLL_S = 0.001
"""Maximum delay until a thread notices that another thread's poll has reported its delivery."""
_FULL_QUEUE_POLL_S = 0.1
_TOPIC_APPEARS_MS = 5000
"""Time for which a broker may not know a topic that was just created."""
_REPLACE_PRODUCER = NO_TOPIC | {MESSAGE_TIMED_OUT}
"""After these errors another producer is created. A producer that does not find a topic does not look for it again for
minutes. A producer that received an empty list of brokers, as happens during a rolling upgrade, never looks for brokers
again (librdkafka issue 5301), and its error is a timeout like any other. Records in flight are still delivered."""


class Coordinates(NamedTuple):
    """The partition and offset of a record."""

    partition: int
    offset: int


class RecordInFlight:
    """A record in flight. `KafkaSender.wait_for` returns its coordinates."""

    __slots__ = ("coordinates", "done", "error", "on_done", "producer", "topic")

    def __init__(self, producer: Producer, topic: str, on_done: Callable[[RecordInFlight], None] | None = None) -> None:
        self.producer = producer
        self.topic = topic
        self.on_done = on_done
        self.done = False
        self.error: KafkaError | None = None
        self.coordinates = Coordinates(-1, -1)

    def report(self, error: KafkaError | None, message: Message) -> None:
        """Stores the result. librdkafka calls this delivery callback in the thread that polls, which may be any."""
        self.error = error
        if error is None:
            self.coordinates = Coordinates(message.partition() or 0, message.offset() or 0)
        self.done = True
        if self.on_done is not None:
            self.on_done(self)


def _ignore(_: RecordInFlight) -> None:
    """The callback of a sender that waits for the record itself."""


class KafkaSender:
    """An idempotent producer with acks=all and Java's partitioner. It connects on first use.

    Thread-safe, and usable before and after a fork.
    """

    def __init__(self, settings: Settings, linger_ms: int = 0) -> None:
        """`linger_ms` is the time for which a record waits for others of its partition, to be sent with them."""
        self._settings = settings
        self._linger_ms = linger_ms
        self._causes = ConnectionCauses(settings)
        self._producers: PerProcess[Producer] = PerProcess(self._make_producer)

    def send(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[Header] = (),
        on_done: Callable[[RecordInFlight], None] | None = None,
    ) -> RecordInFlight:
        """Queues a record to be sent. Blocks only while the queue is full. Raises TooLarge and BrokerUnavailable.

        `on_done` is called when the record is acknowledged or has failed, in a thread that polls the producer.
        """
        while True:
            try:
                in_flight = self.enqueue(topic, key, value, headers, on_done or _ignore)
            except Overloaded:
                self._producers.get().poll(_FULL_QUEUE_POLL_S)
            else:
                in_flight.producer.poll(0)
                return in_flight

    def enqueue(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[Header] = (),
        on_done: Callable[[RecordInFlight], None] | None = None,
    ) -> RecordInFlight:
        """Queues a record like `send`, but raises Overloaded while the queue is full.

        It calls no callback; a thread of the caller has to poll the record's producer. Without `on_done`, nobody learns
        what became of the record.
        """
        in_flight = RecordInFlight(self._producers.get(), topic, on_done)
        report = None if on_done is None else in_flight.report
        try:
            in_flight.producer.produce(topic, value, key, on_delivery=report, headers=list(headers))
        except BufferError as error:
            raise Overloaded("the queue of the Kafka producer is full") from error
        except KafkaException as error:
            raise self._error_for(in_flight, error.args[0]) from error
        return in_flight

    def wait_for(self, in_flight: RecordInFlight) -> Coordinates:
        """Blocks until the record is on all in-sync replicas and returns its coordinates.

        Raises TooLarge. Raises BrokerUnavailable after `publish_timeout_s`; the record may have been written
        nevertheless.
        """
        while not in_flight.done:
            in_flight.producer.poll(_POLL_S)
        return self.coordinates_of(in_flight)

    def coordinates_of(self, in_flight: RecordInFlight) -> Coordinates:
        """Returns the coordinates of a record that is done. Raises like `wait_for`; does not block."""
        if in_flight.error is not None:
            raise self._error_for(in_flight, in_flight.error)
        return in_flight.coordinates

    def close(self) -> None:
        """Blocks until no record is in flight, for at most `publish_timeout_s`. The sender may be used again."""
        producer = self._producers.take()
        if producer is not None:
            producer.flush(self._settings.publish_timeout_s)

    def _make_producer(self) -> Producer:
        ours: Options = {
            "enable.idempotence": True,
            "acks": "all",
            "partitioner": "murmur2_random",
            "linger.ms": self._linger_ms,
            "compression.type": "lz4",
            "delivery.timeout.ms": int(self._settings.publish_timeout_s * 1000),
            "message.max.bytes": dead_letter_bytes(self._settings),
            "allow.auto.create.topics": False,
            "topic.metadata.propagation.max.ms": _TOPIC_APPEARS_MS,
        }
        options = client_options(self._settings, ClientKind.PRODUCER, ours)
        return Producer({**options, "error_cb": self._causes.record})

    def _error_for(self, in_flight: RecordInFlight, error: KafkaError) -> TriggersError:
        if error.code() in TOO_LARGE:
            return TooLarge(f"the record is larger than max.message.bytes of {in_flight.topic}: send less, or raise it")
        if error.fatal() or error.code() in _REPLACE_PRODUCER:
            self._producers.discard(in_flight.producer)
        if error.code() in NO_TOPIC:
            return TopicMissing(f"there is no topic {in_flight.topic}: run `triggers topics create`")
        if error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
            return unavailable(self._settings, error, f"Write on topic {in_flight.topic}")
        if error.code() == MESSAGE_TIMED_OUT:
            return self._causes.reported_error() or BrokerUnavailable(
                f"Kafka at {self._settings.shown_brokers} has not acknowledged the record within"
                f" {self._settings.publish_timeout_s:g} s: start it, or name yours with TRIGGERS_BROKERS"
            )
        return unavailable(self._settings, error)
