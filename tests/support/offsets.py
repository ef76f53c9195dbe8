"""Asks for offsets and commits them, also while a broker elects: a young topic or group has no leader for a moment."""

from __future__ import annotations

from collections.abc import Sequence

from confluent_kafka import Consumer, TopicPartition

from triggers.kafka.repeated_calls import repeat_while_electing

_ANSWER_S = 30.0
_ELECTION_S = 90.0


def fetch_end(consumer: Consumer, partition: TopicPartition) -> int:
    """Returns the offset that the partition's next record will get."""
    return repeat_while_electing(lambda: consumer.get_watermark_offsets(partition, timeout=_ANSWER_S), _ELECTION_S)[1]


def fetch_committed(consumer: Consumer, partitions: Sequence[TopicPartition]) -> list[TopicPartition]:
    """Returns what the consumer's group has committed of these partitions."""
    return repeat_while_electing(lambda: consumer.committed(list(partitions), timeout=_ANSWER_S), _ELECTION_S)


def commit_offsets(consumer: Consumer, partitions: Sequence[TopicPartition]) -> None:
    """Commits these offsets for the consumer's group."""
    repeat_while_electing(lambda: consumer.commit(offsets=list(partitions), asynchronous=False), _ELECTION_S)
