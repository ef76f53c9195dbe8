"""Sends records to several partitions in one transaction, one sender at a time.

A sender waits twice for the broker, which follows from Apache Kafka 4.1. The coordinator answers EndTxn when its
decision is in its log, before it sends the markers to the partitions (`TransactionCoordinator.endTransaction`). So a
sender that has committed waits until its own records can be read.

The next InitProducerId is refused with CONCURRENT_TRANSACTIONS, which librdkafka repeats, until all markers of the
earlier transaction are written (states PrepareCommit and PrepareAbort). A marker is written with acks=all
(`KafkaApis.handleWriteTxnMarkersRequest`), so the high watermark is beyond it then. But the last stable offset can
still be before it: a transaction of another producer, such as an agent's that writes a dead letter, may have begun
earlier on the partition and be open. So a sender also waits before it reads what earlier ones wrote.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Final, NamedTuple

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from triggers.errors import BrokerUnavailable, TooLarge, TopicMissing, TriggersError, TryAgain
from triggers.kafka.client_kind import ClientKind
from triggers.kafka.connection import Options, admin_client, client_options, unavailable
from triggers.kafka.error_codes import FENCING, NO_TOPIC, TOO_LARGE
from triggers.kafka.log_bounds import Partition
from triggers.kafka.open_transactions import wait_until_readable, wait_until_transactions_end
from triggers.kafka.record_limits import dead_letter_bytes
from triggers.kafka.records import Header
from triggers.kafka.repeated_calls import repeat_while_retriable
from triggers.kafka.sender import Coordinates
from triggers.settings import Settings

_ABORT_S: Final = 5.0
_SHORTEST_TRANSACTION_MS: Final = 1000
"""Shortest transaction timeout that librdkafka accepts. Waits still end after `publish_timeout_s`."""


ANY_PARTITION: Final = -1
"""Partition of a record whose partition Java's partitioner chooses by the key."""


class TransactionalRecord(NamedTuple):
    """A record of the transaction."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[Header] = ()


def send_in_transaction(
    settings: Settings,
    transactional_id: str,
    prepare: Callable[[], Sequence[TransactionalRecord]],
    *,
    reads: Sequence[Partition],
) -> list[Coordinates]:
    """Sends what `prepare` returns, either all of it or nothing. Blocks until it is committed and can be read.

    Returns the coordinates of the records, in their order.

    All senders with the same `transactional_id` come one after another: when `prepare` is called, the transactions of
    earlier ones have ended, and a later one fences this one. So records of several senders have the same order on
    every partition, and `prepare` may read what earlier senders wrote to the partitions `reads`.

    Each of its four waits lasts at most `publish_timeout_s`. Raises TooLarge, TryAgain if another sender was faster,
    BrokerUnavailable if a wait ends without an answer, TopicMissing, and TransactionOpen if another producer's
    transaction keeps records from being read. After any of these but TooLarge, the records may have been written. A
    repeated call can tell, because its `prepare` is called only when it can read them.
    """
    producer = _make_producer(settings, transactional_id)
    admin = admin_client(settings)  # it connects while the producer starts
    patience_s = settings.publish_timeout_s
    try:
        repeat_while_retriable(producer.init_transactions, patience_s)
    except KafkaException as error:
        raise _error_for(settings, error, f"Write on transactional-id {transactional_id}") from error
    wait_until_transactions_end(settings, admin, reads, patience_s)
    try:
        records = prepare()
        coordinates = _send(producer, records, patience_s) if records else []
    except KafkaException as error:
        with suppress(KafkaException):
            producer.abort_transaction(_ABORT_S)
        raise _error_for(settings, error) from error
    try:
        wait_until_readable(settings, admin, _ends_of(records, coordinates), patience_s)
    except BrokerUnavailable as error:
        raise type(error)(f"the call has succeeded, but {error}; a repeated call writes nothing twice") from error
    return coordinates


def _send(producer: Producer, records: Sequence[TransactionalRecord], patience_s: float) -> list[Coordinates]:
    producer.begin_transaction()
    delivered: dict[int, Coordinates] = {}
    for number, record in enumerate(records):
        headers: list[tuple[str, str | bytes | None]] = [*record.headers]
        producer.produce(
            record.topic,
            record.value,
            record.key,
            partition=record.partition,
            headers=headers,
            on_delivery=partial(_record_delivery, delivered, number),
        )
    repeat_while_retriable(producer.commit_transaction, patience_s)
    return [delivered[number] for number in range(len(records))]


def _ends_of(records: Sequence[TransactionalRecord], coordinates: Sequence[Coordinates]) -> dict[Partition, int]:
    """Returns the offset after the last of the records on each partition."""
    ends: dict[Partition, int] = {}
    for record, (partition, offset) in zip(records, coordinates, strict=True):
        ends[record.topic, partition] = max(offset + 1, ends.get((record.topic, partition), 0))
    return ends


def _record_delivery(
    delivered: dict[int, Coordinates], number: int, error: KafkaError | None, message: Message
) -> None:
    """Stores where a record is. If one has an error, the transaction cannot be committed."""
    if error is None:
        delivered[number] = Coordinates(message.partition() or 0, message.offset() or 0)


def _make_producer(settings: Settings, transactional_id: str) -> Producer:
    patience_ms = max(int(settings.publish_timeout_s * 1000), _SHORTEST_TRANSACTION_MS)
    ours: Options = {
        "transactional.id": transactional_id,
        "transaction.timeout.ms": patience_ms,
        "delivery.timeout.ms": patience_ms,
        "partitioner": "murmur2_random",
        "compression.type": "lz4",
        "message.max.bytes": dead_letter_bytes(settings),
        "allow.auto.create.topics": False,
    }
    return Producer(client_options(settings, ClientKind.PRODUCER, ours))


def _error_for(settings: Settings, exception: KafkaException, needed: str = "") -> TriggersError:
    error: KafkaError = exception.args[0]
    if error.code() in TOO_LARGE:
        return TooLarge("a record is larger than max.message.bytes of its topic: send less, or raise it")
    if error.code() in FENCING:
        return TryAgain("another process published at the same moment; repeat the call")
    if error.code() in NO_TOPIC:
        return TopicMissing(f"Kafka at {settings.shown_brokers} lacks a topic: run `triggers topics create`")
    return unavailable(settings, exception, needed)
