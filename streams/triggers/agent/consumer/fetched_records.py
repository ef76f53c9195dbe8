"""The records that the consumer fetches, by partition, and their offsets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, cast

from confluent_kafka import KafkaError, Message

from triggers.kafka.records import Record


def by_partition(messages: list[Message]) -> tuple[dict[int, list[Record]], list[Message]]:
    """Splits consumed messages into records by partition, and messages that carry an error of librdkafka.

    The loops over fields run in C, and librdkafka delivers many records of a partition in a row.
    """
    records: dict[int, list[Record]] = {}
    errors: list[Message] = []
    if any(map(_read_error, messages)):
        errors = [message for message in messages if message.error() is not None]
        messages = [message for message in messages if message.error() is None]
    before = _NO_PARTITION
    fetched: list[Record] = []
    partitions: list[int] = list(map(_read_partition, messages))
    for index, partition in enumerate(partitions):
        if partition != before:
            before, fetched = partition, records.setdefault(partition, [])
        fetched.append(cast("Record", messages[index]))
    return records, errors


_NO_PARTITION: Final = -1
_read_error: Final = cast("Callable[[Message], KafkaError | None]", Message.error)
_read_partition: Final = cast("Callable[[Message], int]", Message.partition)
_read_offset: Final = cast("Callable[[Record], int]", Message.offset)


def offsets_of(records: list[Record]) -> list[int]:
    """Returns the records' offsets, which are never None. The loop runs in C because it is executed for every event."""
    return list(map(_read_offset, records))
