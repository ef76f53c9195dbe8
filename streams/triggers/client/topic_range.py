"""Reads what is in a topic now, from given offsets to its present end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from triggers.client.connection import connection_options, unavailable
from triggers.errors import BrokerUnavailable
from triggers.settings import Settings

_TIMEOUT_S = 20.0
_AT_ONCE = 500


def read_range(settings: Settings, topic: str, starts: Mapping[int, int]) -> Iterator[Message]:
    """Committed records of the partitions in `starts`, from the offset given there to the end as of now.

    Blocks. Raises BrokerUnavailable when nothing arrives for 20 s.
    """
    consumer = Consumer(_options(settings))
    try:
        waiting = {p: end for p, start in starts.items() if (end := _end(consumer, topic, p)) > start}
        consumer.assign([TopicPartition(topic, partition, starts[partition]) for partition in waiting])
        while waiting:
            yield from _read_some(settings, consumer, waiting)
    except KafkaException as error:
        raise unavailable(settings, error) from error
    finally:
        consumer.close()


def watermarks(settings: Settings, topic: str, partitions: list[int]) -> dict[int, tuple[int, int]]:
    """Partition -> (first offset, end of the committed records). Raises BrokerUnavailable."""
    consumer = Consumer(_options(settings))
    try:
        return {p: consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=_TIMEOUT_S) for p in partitions}
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


def _end(consumer: Consumer, topic: str, partition: int) -> int:
    _, end = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=_TIMEOUT_S)
    return int(end)


def _options(settings: Settings) -> dict[str, str | int | float | bool]:
    return connection_options(settings) | {
        "group.id": f"{settings.namespace}.readers",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "enable.partition.eof": True,
        "auto.offset.reset": "earliest",
        "isolation.level": "read_committed",
        "allow.auto.create.topics": False,
    }
