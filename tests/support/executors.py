"""The progress of the executors, as Kafka's own tools show it."""

from __future__ import annotations

from confluent_kafka import TopicPartition
from tests.support.kept_consumers import kept_consumer
from tests.support.offsets import fetch_committed, fetch_ends

from triggers.celery.ledger import finished_beyond
from triggers.kafka.range_reads import read_range
from triggers.settings import Settings
from triggers.topology import Topology


def executors_lag(settings: Settings) -> int:
    """Returns the number of offsets beyond what the executors have committed. Transaction markers count, too."""
    names = Topology(settings.namespace)
    consumer = kept_consumer(settings.brokers, names.executors)
    ends = fetch_ends(consumer, names.commands, range(settings.partitions))
    committed = fetch_committed(consumer, [TopicPartition(names.commands, p) for p in range(settings.partitions)])
    return sum(ends[tp.partition] - max(tp.offset, 0) for tp in committed)


def finished_beyond_the_commit(settings: Settings, partition: int) -> int:
    """Returns how many commands beyond a partition's committed offset its ledger marks as finished."""
    names = Topology(settings.namespace)
    consumer = kept_consumer(settings.brokers, names.executors)
    commit = fetch_committed(consumer, [TopicPartition(names.commands, partition)])[0]
    start = max(commit.offset, 0)
    is_finished = finished_beyond(start, commit.metadata)
    return sum(
        is_finished(message.offset() or 0) for message in read_range(settings, names.commands, {partition: start})
    )
