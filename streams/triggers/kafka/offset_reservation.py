"""Lets a topic continue at a higher offset, so that offsets of records that were lost are not used twice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from confluent_kafka import KafkaException, Producer, TopicPartition

from triggers.kafka.client_kind import ClientKind
from triggers.kafka.connection import Options, admin_client, client_options, unavailable
from triggers.kafka.open_transactions import wait_until_transactions_end
from triggers.settings import Settings

_AT_ONCE: Final = 200_000
"""Number of offsets per transaction, which must end before its timeout."""
_TIMEOUT_S: Final = 60.0
_FULL_QUEUE_POLL_S: Final = 0.1


def reserve_offsets(settings: Settings, transactional_id: str, topic: str, partition: int, number: int) -> None:
    """Uses up at least that many offsets of a partition, by transactions that are aborted, so that nobody reads them.

    When it returns, consumers of committed records see the partition end after these offsets. Blocks for some seconds
    per million. Raises BrokerUnavailable.
    """
    ours: Options = {
        "transactional.id": transactional_id,
        "transaction.timeout.ms": int(_TIMEOUT_S * 1000),
        "compression.type": "lz4",
        "linger.ms": 20,
        "allow.auto.create.topics": False,
    }
    producer = Producer(client_options(settings, ClientKind.PRODUCER, ours))
    try:
        producer.init_transactions(_TIMEOUT_S)
    except KafkaException as error:
        raise unavailable(settings, error, f"Write on transactional-id {transactional_id}") from error
    try:
        while number > 0:
            producer.begin_transaction()
            for _ in range(min(number, _AT_ONCE)):
                _produce(producer, topic, partition)
            producer.flush(_TIMEOUT_S)  # an abort would drop what is not sent yet
            producer.abort_transaction(_TIMEOUT_S)
            number -= _AT_ONCE
    except KafkaException as error:
        raise unavailable(settings, error) from error
    wait_until_transactions_end(settings, admin_client(settings), [(topic, partition)], _TIMEOUT_S)


def _produce(producer: Producer, topic: str, partition: int) -> None:
    while True:
        try:
            producer.produce(topic, b"", None, partition)
        except BufferError:
            producer.poll(_FULL_QUEUE_POLL_S)
        else:
            return


def remove_records(settings: Settings, topic: str, ends: Mapping[int, int]) -> None:
    """Lets the partitions begin at these offsets, as if retention had removed what is before. Blocks.

    Raises BrokerUnavailable.
    """
    admin = admin_client(settings)  # the futures do not keep it alive
    starts = [TopicPartition(topic, partition, end) for partition, end in ends.items()]
    try:
        for future in admin.delete_records(starts, request_timeout=_TIMEOUT_S).values():
            future.result()
    except KafkaException as error:
        raise unavailable(settings, error) from error
