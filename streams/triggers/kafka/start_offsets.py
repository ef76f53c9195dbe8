"""Assigns consumers at absolute offsets, so that librdkafka looks up no offset and cannot skip to another one.

A consumer that is assigned without offsets looks them up itself. If there is none, it begins anywhere, as
`auto.offset.reset` says, without an error. Our consumers are assigned with offsets and use `auto.offset.reset=error`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from triggers.errors import RecordsRemoved
from triggers.kafka.error_codes import TIMED_OUT

T = TypeVar("T")

_ANSWER_S: Final = 30.0
_ATTEMPTS: Final = 8
_PAUSE_S: Final = 1.0

log = logging.getLogger(__name__)


def starting_positions(consumer: Consumer, partitions: Sequence[TopicPartition]) -> list[TopicPartition]:
    """Returns the group's committed offsets with their metadata, or the first offset of a partition without one.

    Blocks. Repeats failed requests for some minutes, then raises KafkaException.
    """
    return [
        tp if tp.offset >= 0 else TopicPartition(tp.topic, tp.partition, _first_offset(consumer, tp))
        for tp in _repeat(lambda: committed_offsets(consumer, partitions), "the committed offsets")
    ]


def read_again_from(consumer: Consumer, position: TopicPartition) -> bool:
    """Makes the consumer deliver all records from this absolute offset on, and drops what it has fetched of them.

    It seeks. The partition was assigned at an absolute offset, too, so no offset lookup is pending that could undo the
    seek. If the seek fails, because the partition is not being fetched, the partition is assigned again, and True is
    returned; it is not paused then. This is only the fallback, because librdkafka takes an assignment for the answer
    to a rebalance that may have begun meanwhile.
    """
    try:
        consumer.seek(position)
    except KafkaException:
        consumer.incremental_unassign([position])
        consumer.incremental_assign([position])
        return True
    return False


def lost_position_error(consumer: Consumer, position: TopicPartition, group: str) -> RecordsRemoved:
    """Returns the error for a group whose position is not in the log. Its message names the command to run. Blocks."""
    name = f"{position.topic}/{position.partition}"
    first, end = _watermarks(consumer, position)
    if position.offset < first:
        problem = f"{name} begins at offset {first}: the records from offset {position.offset} on were removed unread"
        advice = (
            f"Its retention is too short. To continue with the remaining records, stop the members of {group} and run"
        )
    else:
        problem = f"{name} ends at offset {end}, but {group} was at {position.offset}: it was truncated or recreated"
        advice = f"To read it from its beginning, stop the members of {group} and run"
    reset = f"kafka-consumer-groups.sh --group {group} --topic {position.topic}:{position.partition} --reset-offsets"
    return RecordsRemoved(f"{problem}. {advice} {reset} --to-offset {first} --execute")


def _first_offset(consumer: Consumer, partition: TopicPartition) -> int:
    first, _ = _watermarks(consumer, partition)
    if first > 0:
        log.warning(
            "%s/%d has no committed offset, so it is read from offset %d", partition.topic, partition.partition, first
        )
    return first


def _watermarks(consumer: Consumer, partition: TopicPartition) -> tuple[int, int]:
    return _repeat(lambda: consumer.get_watermark_offsets(partition, timeout=_ANSWER_S), "the ends of the log")


def committed_offsets(
    consumer: Consumer, partitions: Sequence[TopicPartition], timeout_s: float = _ANSWER_S
) -> list[TopicPartition]:
    """Returns the group's committed offsets. Blocks. Raises KafkaException if the broker does not know one for sure.

    If an error counted as "no offset", the partition would be read from its beginning.
    """
    commits = consumer.committed(list(partitions), timeout=timeout_s) if partitions else []
    for commit in commits:
        if commit.error is not None:
            raise KafkaException(commit.error)
    return commits


def _repeat(request: Callable[[], T], subject: str) -> T:
    for _ in range(_ATTEMPTS):
        try:
            return request()
        except KafkaException as error:
            log.warning("%s cannot be read yet: %s", subject, error)
            time.sleep(_PAUSE_S)
    raise KafkaException(KafkaError(TIMED_OUT, f"{subject} cannot be read"))
