"""The records that the agent reads and produces."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, cast

from confluent_kafka import KafkaError, Message
from mypy_extensions import mypyc_attr

from triggers.kafka.records import Header, Record
from triggers.process.exits import ExitCode, Stop


@mypyc_attr(acyclic=True)
@dataclass(init=False, slots=True)
class Output:
    """A record that the batch's transaction produces."""

    topic: str
    key: bytes | None
    value: bytes | None
    partition: int
    """The partition, or -1 for the partition of the key."""
    headers: list[Header] | None
    time: int
    """Milliseconds since the epoch, or 0 for the time at which it is produced."""

    def __init__(  # noqa: PLR0917  # a compiled data class's own takes 1.7 µs
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        partition: int = -1,
        headers: list[Header] | None = None,
        time: int = 0,
    ) -> None:
        self.topic = topic
        self.key = key
        self.value = value
        self.partition = partition
        self.headers = headers
        self.time = time


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


def next_offset(record: Record) -> int:
    """Returns the offset to commit once this record is processed."""
    offset = record.offset()
    return 0 if offset is None else offset + 1


def stop_for_bug(record: Record, error: Exception) -> Stop:
    """Returns the error that ends the worker because the core raised something that it never should."""
    coordinates = f"{record.topic()} partition {record.partition()} offset {record.offset()}"
    return Stop(ExitCode.ENGINE_BUG, f"{coordinates}: {type(error).__name__}: {error}")
