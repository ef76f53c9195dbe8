"""Sends records and knows when they are safe."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from triggers.errors import BrokerUnavailable, TooLarge, TriggersError
from triggers.kafka.connection import connection_options, unavailable
from triggers.kafka.per_process import PerProcess
from triggers.kafka.record_limits import dead_letter_bytes
from triggers.kafka.records import Header
from triggers.settings import Settings

_POLL_S = 0.001
"""How long a thread may overlook that another thread's poll has reported its delivery."""
_FULL_QUEUE_POLL_S = 0.1
_TOPIC_APPEARS_MS = 5000
"""How long a topic that was made a moment ago may be unknown to a broker."""
_TOO_LARGE = {KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_MSG_SIZE}
_NO_TOPIC = {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC}  # noqa: SLF001  # librdkafka's own code, published so
_OF_NO_MORE_USE = {*_NO_TOPIC, KafkaError._MSG_TIMED_OUT}  # noqa: SLF001  # likewise
"""After these errors another producer is made. One that does not find a topic does not look again for minutes, and one
that was told of no brokers, as happens while they are upgraded one by one, never looks for any again (librdkafka issue
5301). A time-out cannot be told from that; what is under way is delivered all the same."""


class Coordinates(NamedTuple):
    """Where a record is."""

    partition: int
    offset: int


class Delivery:
    """A record on its way; `KafkaSender.wait` says where it arrived."""

    __slots__ = ("coordinates", "done", "error", "producer", "topic")

    def __init__(self, producer: Producer, topic: str) -> None:
        self.producer = producer
        self.topic = topic
        self.done = False
        self.error: KafkaError | None = None
        self.coordinates = Coordinates(-1, -1)

    def report(self, error: KafkaError | None, message: Message) -> None:
        """Called by librdkafka, inside a poll of whichever thread."""
        self.error = error
        if error is None:
            self.coordinates = Coordinates(message.partition() or 0, message.offset() or 0)
        self.done = True


class KafkaSender:
    """An idempotent producer with acks=all and Java's partitioner. Thread-safe; usable before and after a fork."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._producers: PerProcess[Producer] = PerProcess(self._make_producer)

    def send(self, topic: str, key: bytes | None, value: bytes | None, headers: Sequence[Header] = ()) -> Delivery:
        """Hand over a record; blocks only while too many are unsent. Raises TooLarge, BrokerUnavailable."""
        producer = self._producers.get()
        delivery = Delivery(producer, topic)
        while True:
            try:
                producer.produce(topic, value, key, on_delivery=delivery.report, headers=list(headers))
            except BufferError:
                producer.poll(_FULL_QUEUE_POLL_S)
            except KafkaException as error:
                raise self._error_for(delivery, error.args[0]) from error
            else:
                producer.poll(0)
                return delivery

    def wait_for(self, delivery: Delivery) -> Coordinates:
        """Block until the record is on all in-sync replicas, at most `publish_timeout_s`.

        Raises TooLarge, and BrokerUnavailable, after which the record may or may not be there.
        """
        while not delivery.done:
            delivery.producer.poll(_POLL_S)
        if delivery.error is not None:
            raise self._error_for(delivery, delivery.error)
        return delivery.coordinates

    def close(self) -> None:
        """Wait for what is under way. The sender may be used again."""
        producer = self._producers.take()
        if producer is not None:
            producer.flush(self._settings.publish_timeout_s)

    def _make_producer(self) -> Producer:
        return Producer(
            connection_options(self._settings)
            | {
                "enable.idempotence": True,
                "acks": "all",
                "partitioner": "murmur2_random",
                "linger.ms": 0,
                "compression.type": "lz4",
                "delivery.timeout.ms": int(self._settings.publish_timeout_s * 1000),
                "message.max.bytes": dead_letter_bytes(self._settings),
                "allow.auto.create.topics": False,
                "topic.metadata.propagation.max.ms": _TOPIC_APPEARS_MS,
            }
        )

    def _error_for(self, delivery: Delivery, error: KafkaError) -> TriggersError:
        if error.code() in _TOO_LARGE:
            return TooLarge(f"the record is larger than {delivery.topic} accepts (max.message.bytes)")
        if error.fatal() or error.code() in _OF_NO_MORE_USE:
            self._producers.discard(delivery.producer)
        if error.code() in _NO_TOPIC:
            return BrokerUnavailable(f"there is no topic {delivery.topic}; `triggers topics create` makes it")
        return unavailable(self._settings, error)
