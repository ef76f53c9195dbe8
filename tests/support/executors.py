"""The progress of the executors, as Kafka's own tools show it."""

from __future__ import annotations

from confluent_kafka import Consumer, TopicPartition
from tests.support.offsets import fetch_committed, fetch_end

from triggers.celery.ledger import finished_beyond
from triggers.kafka.range_reads import read_range
from triggers.settings import Settings
from triggers.topology import Topology


def executors_lag(settings: Settings) -> int:
    """Returns the number of offsets beyond what the executors have committed. Transaction markers count, too."""
    names = Topology(settings.namespace)
    consumer = Consumer({"bootstrap.servers": settings.brokers, "group.id": names.executors})
    try:
        places = [TopicPartition(names.commands, p) for p in range(settings.partitions)]
        ends = {tp.partition: fetch_end(consumer, tp) for tp in places}
        return sum(ends[tp.partition] - max(tp.offset, 0) for tp in fetch_committed(consumer, places))
    finally:
        consumer.close()


def finished_beyond_the_commit(settings: Settings, partition: int) -> int:
    """Returns how many commands beyond a partition's committed offset its ledger marks as finished."""
    names = Topology(settings.namespace)
    consumer = Consumer({"bootstrap.servers": settings.brokers, "group.id": names.executors})
    try:
        commit = fetch_committed(consumer, [TopicPartition(names.commands, partition)])[0]
    finally:
        consumer.close()
    start = max(commit.offset, 0)
    is_finished = finished_beyond(start, commit.metadata)
    return sum(
        is_finished(message.offset() or 0) for message in read_range(settings, names.commands, {partition: start})
    )
