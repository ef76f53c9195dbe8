"""The partitions that librdkafka fetches, each set to an absolute offset and to nothing else.

A partition of the group is assigned inside librdkafka only when it is known where to read on. What is assigned at a
logical offset (the end, the committed offset) has to be looked up; an answer that comes after a seek is outdated, and
librdkafka repeats the old question and moves the partition to *its* answer. Without a lookup there is no such answer.
"""

from __future__ import annotations

from collections.abc import Iterable

import structlog
from confluent_kafka import Consumer, KafkaException, TopicPartition

log = structlog.get_logger(__name__)


class FetchedPartitions:
    """What of one topic is assigned inside librdkafka; that is not what the group has given us, which is told at once.

    The group learns of its assignment from librdkafka's own list of it, so a rebalance does not depend on this one.
    """

    def __init__(self, kafka: Consumer, topic: str) -> None:
        self._kafka = kafka
        self._topic = topic
        self._assigned: set[int] = set()
        self._distrusted: set[int] = set()

    def accept_gained(self) -> None:
        """In the callback of a rebalance that gives us partitions: complete it, and fetch none of them yet."""
        self._kafka.incremental_assign([])

    def accept_revoked(self, partitions: Iterable[int]) -> None:
        """In the callback of a rebalance that takes these partitions: complete it, and fetch them no more."""
        gone = self._assigned.intersection(partitions)
        self._assigned -= gone
        self._distrusted -= gone
        self._kafka.incremental_unassign([TopicPartition(self._topic, p) for p in gone])

    def distrust(self, partitions: Iterable[int]) -> None:
        """Whatever moved these partitions may still do so: stop fetching them before they are set to a place again."""
        self._distrusted |= self._assigned.intersection(partitions)

    def fetch_from(self, partition: int, offset: int) -> None:
        """Fetch the partition from this offset on, and deliver nothing that was fetched of it before.

        A partition that is fetched already is moved by a seek: to an absolute offset that needs no lookup, either, and
        unlike giving the partition up it leaves a rebalance alone that has begun. It is refused while librdkafka does
        not fetch the partition, after an error.
        """
        place = TopicPartition(self._topic, partition, offset)
        if partition in self._assigned and not self._seek(place):
            self._kafka.incremental_unassign([TopicPartition(self._topic, partition)])
            self._assigned.discard(partition)
        if partition not in self._assigned:
            self._kafka.incremental_assign([place])
            self._assigned.add(partition)
        self._distrusted.discard(partition)

    def _seek(self, place: TopicPartition) -> bool:
        if place.partition in self._distrusted:
            return False
        try:
            self._kafka.seek(place)
        except KafkaException as error:
            log.info("partition is assigned again", partition=place.partition, reason=error.args[0].str())
            return False
        return True
