"""A transaction's records into librdkafka's queue. Every event passes here some four times."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from confluent_kafka import KafkaError, Message, Producer

from triggers.agent.records import Output
from triggers.core.state.rows import Changes
from triggers.kafka.records import Header

Report = Callable[[KafkaError | None, Message], None]


def send_rows(producer: Producer, topic: str, partition: int, rows: Changes, report: Report) -> None:
    """Queue the rows of a partition in order; `report` is told of the last one when it is delivered."""
    left = len(rows)
    for key, value in rows.items():
        left -= 1
        _send(producer, topic, key, value, partition, None if left else report)


def send_outputs(producer: Producer, outputs: Sequence[Output]) -> None:
    """Queue the outputs in order."""
    for each in outputs:
        _send(producer, each.topic, each.key, each.value, each.partition, None, each.time, each.headers)


def _send(  # noqa: PLR0913, PLR0917  # all that a record has; keywords cost half as much again
    producer: Producer,
    topic: str,
    key: bytes | None,
    value: bytes | None,
    partition: int,
    report: Report | None,
    time: int = 0,
    headers: list[Header] | None = None,
) -> None:
    while True:
        try:
            producer.produce(topic, value, key, partition, report, None, time, headers)  # type: ignore[arg-type]  # lists are invariant
        except BufferError:  # librdkafka's queue is full: let it send
            producer.poll(0.01)
        else:
            return
