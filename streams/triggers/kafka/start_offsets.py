"""Where a consumer is to begin: always an absolute offset, so that librdkafka has nothing to look up and cannot jump.

A consumer that is assigned without offsets looks them up by itself, and `auto.offset.reset` decides what happens when
there is none: it may begin anywhere, and says nothing. Ours are told where to begin; what they have is
`auto.offset.reset=error`.
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


def places_of_group(consumer: Consumer, partitions: Sequence[TopicPartition]) -> list[TopicPartition]:
    """What the group has committed, with its metadata; the partition's first offset where it has committed nothing.

    Blocks; a broker that does not answer is asked again for some minutes. Raises KafkaException after that.
    """
    return [
        place if place.offset >= 0 else TopicPartition(place.topic, place.partition, _first_offset(consumer, place))
        for place in _insist(lambda: _committed(consumer, list(partitions)), "the committed offsets are")
    ]


def read_again_from(consumer: Consumer, place: TopicPartition) -> bool:
    """Deliver everything from this absolute offset on (again); what was fetched of the partition is dropped.

    The partition was assigned at an absolute offset, too, so no lookup is under way that could undo a seek. Where a
    seek is refused, because the partition is not fetched at present, it is assigned anew: True. It is not paused then.
    That is the second choice, since librdkafka takes it for the answer to a rebalance that has begun meanwhile.
    """
    try:
        consumer.seek(place)
    except KafkaException:
        consumer.incremental_unassign([place])
        consumer.incremental_assign([place])
        return True
    return False


def describe_lost_place(consumer: Consumer, place: TopicPartition, group: str) -> RecordsRemoved:
    """The error for a group whose place is not in the log (any more); it names the way out. Blocks."""
    where = f"{place.topic}/{place.partition}"
    first, end = _insist(lambda: consumer.get_watermark_offsets(place, timeout=_ANSWER_S), "the log's ends are")
    if place.offset < first:
        what = f"{where} begins at offset {first}: what was there from offset {place.offset} on was removed unread"
        advice = f"Its retention is too short. To go on with what is left, stop the members of {group} and run"
    else:
        what = f"{where} ends at offset {end}, {group} was at offset {place.offset}: the topic was made anew or cut"
        advice = f"To read it from its beginning, stop the members of {group} and run"
    reset = f"kafka-consumer-groups.sh --group {group} --topic {place.topic}:{place.partition} --reset-offsets"
    return RecordsRemoved(f"{what}. {advice} {reset} --to-offset {first} --execute")


def _first_offset(consumer: Consumer, place: TopicPartition) -> int:
    first, _ = _insist(lambda: consumer.get_watermark_offsets(place, timeout=_ANSWER_S), "the log's ends are")
    if first > 0:
        log.warning("%s/%d has no committed offset and begins at offset %d", place.topic, place.partition, first)
    return int(first)


def _committed(consumer: Consumer, partitions: list[TopicPartition]) -> list[TopicPartition]:
    found = consumer.committed(partitions, timeout=_ANSWER_S) if partitions else []
    for place in found:
        if place.error is not None:  # an offset that is not known is not "none"
            raise KafkaException(place.error)
    return found


def _insist(ask: Callable[[], T], what: str) -> T:
    for _ in range(_ATTEMPTS):
        try:
            return ask()
        except KafkaException as error:
            log.warning("%s not known yet: %s", what, error)
            time.sleep(_PAUSE_S)
    raise KafkaException(KafkaError(TIMED_OUT, f"{what} not known"))
