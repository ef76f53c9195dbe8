"""Makes records as a consumer returns them."""

from __future__ import annotations

import json
from typing import cast

from confluent_kafka import TIMESTAMP_CREATE_TIME, Message

from triggers.kafka.records import Header, Record
from triggers.topology import partition_of

PARTITIONS = 4


def record(
    value: bytes | None = b"{}",
    key: bytes | None = b"s1",
    *,
    partition: int | None = None,
    offset: int = 0,
    headers: list[Header] | None = None,
    time: int = 1_000,
    time_kind: int = TIMESTAMP_CREATE_TIME,
) -> Record:
    """Makes a record of the events topic, by default on its key's partition."""
    chosen = partition_of(key or b"", PARTITIONS) if partition is None else partition
    message = Message(
        topic="test.events",
        partition=chosen,
        offset=offset,
        key=key,
        value=value,
        headers=None if headers is None else list(headers),
        timestamp=(time_kind, time),
    )
    return cast("Record", message)


def fire(trigger: str, key: bytes = b"s1", *, offset: int = 0, **kwargs: object) -> Record:
    """Makes the record of a `TriggerFired` in plain JSON."""
    return record(json.dumps({"trigger": trigger, "kwargs": kwargs}).encode(), key, offset=offset)
