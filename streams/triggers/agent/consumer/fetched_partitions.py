"""The partitions that librdkafka fetches. Each is set to an absolute offset, never to a logical one.

If a partition is assigned at a logical offset (the end, the committed offset), librdkafka has to look the offset up. If
the answer arrives after a seek, librdkafka repeats the lookup and moves the partition to that answer. So the worker
assigns a partition inside librdkafka only once it knows the offset, and no lookup takes place.
"""

from __future__ import annotations

from collections.abc import Iterable

import structlog
from confluent_kafka import Consumer, KafkaException, TopicPartition

log = structlog.get_logger(__name__)


class FetchedPartitions:
    """The partitions of one topic that are assigned inside librdkafka.

    They are a subset of those that the group has assigned to this member. Rebalances do not depend on this subset,
    because librdkafka keeps the group's assignment in another list.
    """

    def __init__(self, kafka: Consumer, topic: str) -> None:
        self._kafka = kafka
        self._topic = topic
        self._assigned: set[int] = set()
        self._distrusted: set[int] = set()

    def accept_gained(self) -> None:
        """Completes a rebalance that assigns partitions, without fetching them yet. Called in its callback."""
        self._kafka.incremental_assign([])

    def accept_revoked(self, partitions: Iterable[int]) -> None:
        """Completes a rebalance that revokes these partitions, and stops fetching them. Called in its callback."""
        gone = self._assigned.intersection(partitions)
        self._assigned -= gone
        self._distrusted -= gone
        self._kafka.incremental_unassign([TopicPartition(self._topic, p) for p in gone])

    def distrust(self, partitions: Iterable[int]) -> None:
        """Makes the next `fetch_from` assign these partitions again, because a seek might not undo what moved them."""
        self._distrusted |= self._assigned.intersection(partitions)

    def fetch_from(self, partition: int, offset: int) -> None:
        """Fetches the partition from this offset on, and delivers nothing of it that was fetched before.

        A partition that is already fetched is moved by a seek. A seek to an absolute offset needs no lookup either, and
        it does not disturb a rebalance that has begun, as unassigning would. librdkafka refuses to seek if it stopped
        fetching the partition after an error; the partition is then assigned again.
        """
        start = TopicPartition(self._topic, partition, offset)
        if partition in self._assigned and not self._seek(start):
            self._kafka.incremental_unassign([TopicPartition(self._topic, partition)])
            self._assigned.discard(partition)
        if partition not in self._assigned:
            self._kafka.incremental_assign([start])
            self._assigned.add(partition)
        self._distrusted.discard(partition)

    def _seek(self, start: TopicPartition) -> bool:
        if start.partition in self._distrusted:
            return False
        try:
            self._kafka.seek(start)
        except KafkaException as error:
            log.info("partition is assigned again", partition=start.partition, reason=error.args[0].str())
            return False
        return True
