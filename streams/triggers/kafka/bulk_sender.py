"""`BulkSender`: sends very many records to chosen partitions, and checks where each of them arrives."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final, NamedTuple

from confluent_kafka import TIMESTAMP_CREATE_TIME, KafkaError, KafkaException, Message, Producer

from triggers.errors import BrokerUnavailable
from triggers.kafka.client_kind import ClientKind
from triggers.kafka.connection import Options, client_options, unavailable
from triggers.kafka.record_limits import dead_letter_bytes, derived_bytes
from triggers.kafka.records import Header
from triggers.settings import Settings

_LINGER_MS: Final = 20
_FULL_QUEUE_POLL_S: Final = 0.1
_POLLED_EVERY: Final = 500
"""Number of records after which the acknowledgements of earlier ones are checked. Each poll takes a microsecond."""
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
    offset: int | None = None
    """Offset that the record must get, or None if any will do."""


class BulkSender:
    """An idempotent producer that keeps the order of the records of a partition. Not thread-safe."""

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
        self._producer = Producer(client_options(settings, ClientKind.PRODUCER, ours))
        self._failure: BrokerUnavailable | None = None
        self._since_poll = 0

    def send(self, record: BulkRecord) -> None:
        """Queues a record. Blocks while the queue is full. May raise the error of an earlier one, as `flush` does."""
        headers: list[tuple[str, str | bytes | None]] = [*record.headers]
        while True:
            try:
                self._producer.produce(
                    record.topic,
                    record.value,
                    record.key,
                    record.partition,
                    on_delivery=partial(self._check, record),
                    timestamp=record.time,
                    headers=headers,
                )
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

    def _check(self, record: BulkRecord, error: KafkaError | None, message: Message) -> None:
        if self._failure is None and (problem := self._problem_of(record, error, message)) is not None:
            self._failure = problem

    def _problem_of(self, record: BulkRecord, error: KafkaError | None, message: Message) -> BrokerUnavailable | None:
        if error is not None:
            return unavailable(self._settings, error)
        if record.offset is not None and message.offset() != record.offset:
            where = f"{record.topic}/{record.partition}"
            return BrokerUnavailable(
                f"a record of {where} got the offset {message.offset()}, not {record.offset}: another process writes to"
                " the topic: stop it, delete the new topics, and repeat the command"
            )
        if record.time and message.timestamp() != (TIMESTAMP_CREATE_TIME, record.time):
            return BrokerUnavailable(
                f"{record.topic} does not keep timestamps: set its message.timestamp.type to CreateTime"
            )
        return None

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure
