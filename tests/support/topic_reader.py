"""Whole topics, as a read-committed consumer sees them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition
from tests.support.last_seen import Witness
from tests.support.offsets import fetch_end

from triggers.settings import Settings

PATIENCE_S = 90.0
"""For what must happen, not for how soon: a machine that does other things takes several times as long."""
_SHORTEST_PAUSE_S = 0.05
"""Between two looks; a look that reads whole topics is followed by a pause of the time that it took."""


def read_topic(settings: Settings, topic: str) -> list[Message]:
    """Every committed record from the beginning to the end as it is now, in order within each partition."""
    return list(stream_topic(settings, topic))


def stream_topic(settings: Settings, topic: str, partition: int | None = None) -> Iterator[Message]:
    """The same, of one partition or of all, while they are read: a few thousand are in memory at a time."""
    consumer = Consumer(
        {
            "bootstrap.servers": settings.brokers,
            "group.id": "test-reader",
            "isolation.level": "read_committed",
            "auto.offset.reset": "error",
            "enable.partition.eof": True,
            "enable.auto.commit": False,
            "queued.max.messages.kbytes": 32_768,
        }
    )
    try:
        there = list(consumer.list_topics(topic, timeout=30).topics[topic].partitions)
        yield from _read(consumer, topic, there if partition is None else [partition])
    finally:
        consumer.close()


def _read(consumer: Consumer, topic: str, partitions: list[int]) -> Iterator[Message]:
    ends = {p: fetch_end(consumer, TopicPartition(topic, p)) for p in partitions}
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
    """Poll the condition; fails the test when it does not come true in time, and says what it saw last."""
    started = looked = time.monotonic()
    while not condition():
        now = time.monotonic()
        if now > started + timeout_s:
            last = Witness(condition)
            assert last.holds(), f"not within {timeout_s} s: {what}; seen last:{last.report()}"
            return
        time.sleep(max(now - looked, _SHORTEST_PAUSE_S))
        looked = time.monotonic()
