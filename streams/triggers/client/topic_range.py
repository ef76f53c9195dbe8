"""Reads what is in a topic now, from given offsets to its present end."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from triggers.client.connection import Options, admin_client, connection_options, unavailable
from triggers.client.topics import partition_count
from triggers.errors import BrokerUnavailable
from triggers.settings import Settings

_TIMEOUT_S = 20.0
_AT_ONCE = 500
_ELECTING = {
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001  # published so; the client has asked a broker that lags behind
}
"""A topic that was made a moment ago, or a broker that left."""
_FETCHED_AHEAD_KB = 16_384
_ELECTION_PAUSE_S = 0.1


def read_range(
    settings: Settings, topic: str, starts: Mapping[int, int], *, undecided: bool = False
) -> Iterator[Message]:
    """Committed records of the partitions in `starts`, from the offset given there to the end as of now.

    `undecided`: those too that no consumer of committed records can read yet, behind the begin of an open transaction.
    Blocks. Raises BrokerUnavailable when nothing arrives for 20 s.
    """
    consumer = Consumer(reader_options(settings) | _isolation(undecided))
    try:
        ends = {partition: _watermarks(consumer, TopicPartition(topic, partition))[1] for partition in starts}
        waiting = {partition: end for partition, end in ends.items() if end > starts[partition]}
        consumer.assign([TopicPartition(topic, partition, starts[partition]) for partition in waiting])
        while waiting:
            yield from _read_some(settings, consumer, waiting)
    except KafkaException as error:
        raise unavailable(settings, error) from error
    finally:
        consumer.close()


def partition_starts(settings: Settings, topic: str) -> dict[int, int]:
    """Partition -> its first offset, of all partitions; empty if there is no such topic. Raises BrokerUnavailable."""
    try:
        partitions = range(partition_count(admin_client(settings), topic))
    except KafkaException as error:
        raise unavailable(settings, error) from error
    return {partition: low for partition, (low, _) in watermarks(settings, topic, list(partitions)).items()}


def watermarks(
    settings: Settings, topic: str, partitions: list[int], *, undecided: bool = False
) -> dict[int, tuple[int, int]]:
    """Partition -> (first offset, end of the committed records, or of all records). Raises BrokerUnavailable."""
    consumer = Consumer(reader_options(settings) | _isolation(undecided))
    try:
        return {partition: _watermarks(consumer, TopicPartition(topic, partition)) for partition in partitions}
    except KafkaException as error:
        raise unavailable(settings, error) from error
    finally:
        consumer.close()


def _read_some(settings: Settings, consumer: Consumer, waiting: dict[int, int]) -> Iterator[Message]:
    messages = consumer.consume(_AT_ONCE, 0.2) or consumer.consume(1, _TIMEOUT_S)
    if not messages:
        raise BrokerUnavailable(f"Kafka at {settings.brokers}: nothing arrives")
    for message in messages:
        partition, error = message.partition() or 0, message.error()
        if error is not None and error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001  # published so
            raise KafkaException(error)
        if error is None and (message.offset() or 0) < waiting.get(partition, 0):
            yield message
        elif partition in waiting:
            del waiting[partition]


def _watermarks(consumer: Consumer, place: TopicPartition) -> tuple[int, int]:
    deadline = time.monotonic() + _TIMEOUT_S
    while True:
        try:
            low, high = consumer.get_watermark_offsets(place, timeout=_TIMEOUT_S)
        except KafkaException as error:
            if error.args[0].code() not in _ELECTING or time.monotonic() > deadline:
                raise
            time.sleep(_ELECTION_PAUSE_S)
        else:
            return low, high


def _isolation(undecided: bool) -> Options:
    return {"isolation.level": "read_uncommitted" if undecided else "read_committed"}


def reader_options(settings: Settings) -> Options:
    """Options of a consumer that reads committed records and never commits."""
    return connection_options(settings) | {
        "group.id": f"{settings.namespace}.readers",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "enable.partition.eof": True,
        "auto.offset.reset": "earliest",
        "isolation.level": "read_committed",
        "allow.auto.create.topics": False,
        "queued.max.messages.kbytes": _FETCHED_AHEAD_KB,
    }
