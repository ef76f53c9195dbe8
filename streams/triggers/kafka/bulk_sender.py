"""`BulkSender`: sends very many records to chosen partitions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from triggers.errors import BrokerUnavailable
from triggers.kafka.client_kind import ClientKind
from triggers.kafka.connection import Options, client_options, unavailable
from triggers.kafka.record_limits import dead_letter_bytes, derived_bytes
from triggers.kafka.records import Header
from triggers.settings import Settings

_LINGER_MS: Final = 20
_FULL_QUEUE_POLL_S: Final = 0.1
_POLLED_EVERY: Final = 500
"""Number of records after which failures of earlier ones are looked for. Each poll takes a microsecond."""
_DELIVERY_S: Final = 120


class BulkRecord(NamedTuple):
    """A record to send."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[Header] = ()
    time: int = 0
    """Timestamp in milliseconds that the record must keep, or 0 for the time at which it is sent."""


class BulkSender:
    """An idempotent producer that keeps the order of the records of a partition. Not thread-safe.

    librdkafka reports only the records that fail, because a report takes Python longer than sending a record. So if
    `flush` returns, every record is acknowledged.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        ours: Options = {
            "enable.idempotence": True,
            "acks": "all",
            "linger.ms": _LINGER_MS,
            "compression.type": "lz4",
            "delivery.timeout.ms": _DELIVERY_S * 1000,
            "message.max.bytes": max(dead_letter_bytes(settings), derived_bytes(settings)),
            "allow.auto.create.topics": False,
        }
        reports = {"delivery.report.only.error": True, "on_delivery": self._record_failure}
        self._producer = Producer(client_options(settings, ClientKind.PRODUCER, ours) | reports)
        self._failure: BrokerUnavailable | None = None
        self._since_poll = 0

    def send(self, record: BulkRecord) -> None:
        """Queues a record. Blocks while the queue is full. May raise the error of an earlier one, as `flush` does."""
        topic, partition, key, value, sequence, time = record
        headers: list[tuple[str, str | bytes | None]] | None = [*sequence] if sequence else None
        while True:
            try:
                self._producer.produce(topic, value, key, partition, None, None, time, headers)  # keywords take longer
            except BufferError:
                self._producer.poll(_FULL_QUEUE_POLL_S)
            except KafkaException as error:
                raise unavailable(self._settings, error) from error
            else:
                break
        self._since_poll += 1
        if self._since_poll >= _POLLED_EVERY:
            self._since_poll = 0
            self._producer.poll(0)
            self._raise_failure()

    def flush(self) -> None:
        """Blocks until every record is acknowledged by all in-sync replicas. Raises BrokerUnavailable."""
        if self._producer.flush(_DELIVERY_S):
            raise BrokerUnavailable(f"Kafka at {self._settings.shown_brokers} does not acknowledge records")
        self._raise_failure()

    def _record_failure(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None and self._failure is None:
            self._failure = unavailable(self._settings, error)

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure
