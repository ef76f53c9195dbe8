"""The progress of the executors, as Kafka's own tools show it."""

from __future__ import annotations

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from tests.support.topic_reader import wait_until

from triggers.celery.ledger import finished_beyond
from triggers.client.topic_range import read_range
from triggers.settings import Settings
from triggers.topology import Topology

_ELECTING = {KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE}


def executors_lag(settings: Settings) -> int:
    """Returns how far the executors' committed offsets are behind the end. Transaction markers count, too.

    Waits while a new topic has no leader.
    """
    lags: list[int] = []

    def is_readable() -> bool:
        try:
            lags.append(_lag(settings))
        except KafkaException as error:
            if error.args[0].code() not in _ELECTING:
                raise
        return bool(lags)

    wait_until(is_readable, "the partitions of the commands topic have leaders")
    return lags[0]


def _lag(settings: Settings) -> int:
    names = Topology(settings.namespace)
    consumer = Consumer({"bootstrap.servers": settings.brokers, "group.id": names.executors})
    try:
        partitions = [TopicPartition(names.commands, p) for p in range(settings.partitions)]
        ends = {tp.partition: consumer.get_watermark_offsets(tp, timeout=30)[1] for tp in partitions}
        return sum(ends[tp.partition] - max(tp.offset, 0) for tp in consumer.committed(partitions, timeout=30))
    finally:
        consumer.close()


def finished_beyond_the_commit(settings: Settings, partition: int) -> int:
    """Returns how many commands beyond a partition's committed offset its ledger marks as finished."""
    names = Topology(settings.namespace)
    consumer = Consumer({"bootstrap.servers": settings.brokers, "group.id": names.executors})
    try:
        commit = consumer.committed([TopicPartition(names.commands, partition)], timeout=30)[0]
    finally:
        consumer.close()
    start = max(commit.offset, 0)
    is_finished = finished_beyond(start, commit.metadata)
    return sum(
        is_finished(message.offset() or 0) for message in read_range(settings, names.commands, {partition: start})
    )
