"""Consumed records, as the worker takes them. Every event passes through here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from confluent_kafka import Message

from triggers.kafka.records import Record, place


def by_partition(messages: Sequence[Message]) -> tuple[dict[int, list[Record]], list[Message]]:
    """What was consumed: records by partition, and what carries an error of librdkafka instead of a record."""
    records: dict[int, list[Record]] = {}
    errors: list[Message] = []
    for message in messages:
        if message.error() is not None:
            errors.append(message)
            continue
        partition = place(message.partition())
        found = records.get(partition)
        if found is None:
            found = records[partition] = []
        found.append(cast("Record", message))
    return records, errors


def offsets_of(records: list[Record]) -> list[int]:
    """Their offsets."""
    return [place(record.offset()) for record in records]


def next_offset(record: Record) -> int:
    """The offset to commit once this record is done."""
    offset = record.offset()
    return 0 if offset is None else offset + 1
