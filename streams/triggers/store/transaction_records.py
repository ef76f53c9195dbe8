"""Puts a transaction's records into librdkafka's queue. It must be fast: an event causes some four records."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from confluent_kafka import KafkaError, Message, Producer

from triggers.core.state.rows import Changes
from triggers.kafka.records import Header
from triggers.store.batch import Output

OnDelivery = Callable[[KafkaError | None, Message], None]
"""Called by librdkafka when a record is delivered or has failed."""


def send_rows(producer: Producer, topic: str, partition: int, rows: Changes, on_last: OnDelivery) -> None:
    """Queues the rows of a partition in order. `on_last` is the delivery callback of the last row."""
    remaining = len(rows)
    for key, value in rows.items():
        remaining -= 1
        _send(producer, topic, key, value, partition, None if remaining else on_last)


def send_outputs(producer: Producer, outputs: Sequence[Output]) -> None:
    """Queues the outputs in order."""
    for each in outputs:
        _send(producer, each.topic, each.key, each.value, each.partition, None, each.time, each.headers)


def _send(  # noqa: PLR0917  # all parts of a record; keyword arguments cost half as much again
    producer: Producer,
    topic: str,
    key: bytes | None,
    value: bytes | None,
    partition: int,
    on_delivery: OnDelivery | None,
    time: int = 0,
    headers: list[Header] | None = None,
) -> None:
    while True:
        try:
            producer.produce(topic, value, key, partition, on_delivery, None, time, headers)  # type: ignore[arg-type]  # lists are invariant
        except BufferError:  # librdkafka's queue is full, so let it send
            producer.poll(0.01)
        else:
            return
