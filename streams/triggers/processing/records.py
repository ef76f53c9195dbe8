"""Consumed records, as the worker takes them. Every event passes through here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from confluent_kafka import KafkaError, Message

from triggers.kafka.records import Record, place


def by_partition(messages: Sequence[Message]) -> tuple[dict[int, list[Record]], list[KafkaError]]:
    """What was consumed: records by partition, and what librdkafka has to say instead of one."""
    records: dict[int, list[Record]] = {}
    errors: list[KafkaError] = []
    for message in messages:
        error = message.error()
        if error is not None:
            errors.append(error)
            continue
        partition = place(message.partition())
        found = records.get(partition)
        if found is None:
            found = records[partition] = []
        found.append(cast("Record", message))
    return records, errors


def next_offset(record: Record) -> int:
    """The offset to commit once this record is done."""
    offset = record.offset()
    return 0 if offset is None else offset + 1
