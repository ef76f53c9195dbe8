"""A transaction's records into librdkafka's queue. Every event passes here some four times."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from confluent_kafka import KafkaError, Message, Producer

from triggers.processing.batch import Changes
from triggers.processing.output import Output

Report = Callable[[KafkaError | None, Message], None]


def send_rows(producer: Producer, topic: str, partition: int, rows: Changes, report: Report) -> None:
    """Queue the rows of a partition in order; `report` is told of the last one when it is delivered."""
    left = len(rows)
    for key, value in rows.items():
        left -= 1
        while True:
            try:
                if left:
                    producer.produce(topic, value, key, partition)
                else:
                    producer.produce(topic, value, key, partition, report)
                break
            except BufferError:
                _make_room(producer)


def send_outputs(producer: Producer, outputs: Sequence[Output]) -> None:
    """Queue the outputs in order."""
    for each in outputs:
        while True:
            try:
                if each.headers or each.time:
                    _send_in_full(producer, each)
                else:  # positional: keywords cost half as much again
                    producer.produce(each.topic, each.value, each.key, each.partition)
                break
            except BufferError:
                _make_room(producer)


def _send_in_full(producer: Producer, each: Output) -> None:
    headers: list[tuple[str, str | bytes | None]] = [*(each.headers or ())]
    producer.produce(each.topic, each.value, each.key, each.partition, timestamp=each.time, headers=headers)


def _make_room(producer: Producer) -> None:
    """librdkafka's queue is full: let it send."""
    producer.poll(0.01)
