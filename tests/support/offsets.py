"""Asks for offsets and commits them, also while a broker elects: a young topic or group has no leader for a moment."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from confluent_kafka import OFFSET_END, Consumer, KafkaError, KafkaException, TopicPartition

from triggers.kafka.error_codes import ELECTING
from triggers.kafka.repeated_calls import repeat_while_electing

_ANSWER_S = 30.0
_ELECTION_S = 90.0
_PASSING = ELECTING | {KafkaError.UNKNOWN_LEADER_EPOCH, KafkaError.FENCED_LEADER_EPOCH}
"""Errors of a partition after an election or a restart of its broker, until both sides know the new leader."""


def fetch_end(consumer: Consumer, partition: TopicPartition) -> int:
    """Returns the offset that the partition's next record will get."""
    return repeat_while_electing(lambda: consumer.get_watermark_offsets(partition, timeout=_ANSWER_S), _ELECTION_S)[1]


def fetch_ends(consumer: Consumer, topic: str, partitions: Iterable[int]) -> dict[int, int]:
    """Returns the offset that the next record of each partition will get. It is one request, unlike `fetch_end`."""
    asked = [TopicPartition(topic, partition, OFFSET_END) for partition in partitions]
    deadline = time.monotonic() + _ELECTION_S
    while True:
        answers = repeat_while_electing(lambda: consumer.offsets_for_times(asked, timeout=_ANSWER_S), _ELECTION_S)
        errors = [each.error for each in answers if each.error is not None]
        if not errors:
            return {each.partition: each.offset for each in answers}
        if time.monotonic() > deadline or any(error.code() not in _PASSING for error in errors):
            raise KafkaException(errors[0])
        time.sleep(0.1)


def fetch_committed(consumer: Consumer, partitions: Sequence[TopicPartition]) -> list[TopicPartition]:
    """Returns what the consumer's group has committed of these partitions."""
    return repeat_while_electing(lambda: consumer.committed(list(partitions), timeout=_ANSWER_S), _ELECTION_S)


def commit_offsets(consumer: Consumer, partitions: Sequence[TopicPartition]) -> None:
    """Commits these offsets for the consumer's group."""
    repeat_while_electing(lambda: consumer.commit(offsets=list(partitions), asynchronous=False), _ELECTION_S)
