"""Asks a broker for offsets, also while it elects: a topic or a group that is young has no leader for a moment."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

T = TypeVar("T")

_ANSWER_S = 30.0
_ELECTION_S = 90.0
_PAUSE_S = 0.1
_ELECTING = {
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError._UNKNOWN_PARTITION,
}


def fetch_end(consumer: Consumer, partition: TopicPartition) -> int:
    """Returns the offset that the partition's next record will get."""
    return _retry(lambda: consumer.get_watermark_offsets(partition, timeout=_ANSWER_S))[1]


def fetch_committed(consumer: Consumer, partitions: Sequence[TopicPartition]) -> list[TopicPartition]:
    """Returns what the consumer's group has committed of these partitions."""
    return _retry(lambda: consumer.committed(list(partitions), timeout=_ANSWER_S))


def _retry(ask: Callable[[], T]) -> T:
    deadline = time.monotonic() + _ELECTION_S
    while True:
        try:
            return ask()
        except KafkaException as error:
            if error.args[0].code() not in _ELECTING or time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE_S)
