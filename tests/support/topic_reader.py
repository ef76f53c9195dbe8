"""Reads whole topics, as a read-committed consumer does, and waits for conditions."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition
from tests.support.kept_consumers import kept_consumer
from tests.support.last_seen import LastSeen
from tests.support.offsets import fetch_ends

from triggers.settings import Settings

PATIENCE_S = 90.0
"""Default timeout in seconds. It is generous, because a busy machine takes several times as long."""
_OPTIONS: dict[str, str | int | bool] = {
    "isolation.level": "read_committed",
    "auto.offset.reset": "error",
    "enable.partition.eof": True,
    "enable.auto.commit": False,
    "queued.max.messages.kbytes": 32_768,
}
_SHORTEST_PAUSE_S = 0.05
"""Minimum pause between two evaluations of a condition. A slow one is followed by a pause of the same length."""


def read_topic(settings: Settings, topic: str) -> list[Message]:
    """Reads every committed record up to the current end, in order within each partition."""
    consumer = kept_consumer(settings.brokers, "test-reader", _OPTIONS)
    try:
        return list(_read(consumer, topic, _partitions(consumer, topic)))
    finally:
        consumer.unassign()


def stream_topic(settings: Settings, topic: str, partition: int | None = None) -> Iterator[Message]:
    """Yields the records of one partition or of all while they are read. A few thousand are in memory at a time."""
    consumer = Consumer({"bootstrap.servers": settings.brokers, "group.id": "test-reader", **_OPTIONS})
    try:
        yield from _read(consumer, topic, _partitions(consumer, topic) if partition is None else [partition])
    finally:
        consumer.close()


def _partitions(consumer: Consumer, topic: str) -> list[int]:
    return list(consumer.list_topics(topic, timeout=30).topics[topic].partitions)


def _read(consumer: Consumer, topic: str, partitions: list[int]) -> Iterator[Message]:
    ends = fetch_ends(consumer, topic, partitions)
    todo = {p for p, end in ends.items() if end > 0}
    consumer.assign([TopicPartition(topic, p, 0) for p in todo])
    while todo:
        for message in consumer.consume(10_000, 0.2):
            error = message.error()
            if error is None:
                yield message
            elif (
                error.code() == KafkaError._PARTITION_EOF and (message.offset() or 0) >= ends[message.partition() or 0]
            ):
                todo.discard(message.partition() or 0)


def wait_until(condition: Callable[[], bool], what: str, timeout_s: float = PATIENCE_S) -> None:
    """Polls the condition. If it does not become true in time, fails with the values that it saw last."""
    started = evaluated = time.monotonic()
    while not condition():
        now = time.monotonic()
        if now > started + timeout_s:
            last = LastSeen(condition)
            assert last.holds(), f"not within {timeout_s} s: {what}; seen last:{last.report()}"
            return
        time.sleep(max(now - evaluated, _SHORTEST_PAUSE_S))
        evaluated = time.monotonic()
