"""How far the executors are, as Kafka's own tools show it."""

from __future__ import annotations

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from tests.support.topic_reader import wait_until

from triggers.celery.ledger import finished_beyond
from triggers.settings import Settings
from triggers.topology import Topology

_ELECTING = {KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE}


def lag(settings: Settings) -> int:
    """Offsets of the commands topic beyond what the executors have committed; transaction markers count, too.

    Waits while a topic that was made a moment ago has no leader.
    """
    found: list[int] = []

    def is_known() -> bool:
        try:
            found.append(_lag(settings))
        except KafkaException as error:
            if error.args[0].code() not in _ELECTING:
                raise
        return bool(found)

    wait_until(is_known, "the partitions of the commands topic have leaders")
    return found[0]


def _lag(settings: Settings) -> int:
    names = Topology(settings.namespace)
    asking = Consumer({"bootstrap.servers": settings.brokers, "group.id": names.executors})
    try:
        places = [TopicPartition(names.commands, p) for p in range(settings.partitions)]
        ends = {tp.partition: asking.get_watermark_offsets(tp, timeout=30)[1] for tp in places}
        return sum(ends[tp.partition] - max(tp.offset, 0) for tp in asking.committed(places, timeout=30))
    finally:
        asking.close()


def finished_beyond_the_commit(settings: Settings, partition: int) -> int:
    """Commands that the last commit of a partition knows to be finished, behind one that is not."""
    names = Topology(settings.namespace)
    asking = Consumer({"bootstrap.servers": settings.brokers, "group.id": names.executors})
    try:
        commit = asking.committed([TopicPartition(names.commands, partition)], timeout=30)[0]
        return finished_beyond(commit.metadata or "")
    finally:
        asking.close()
