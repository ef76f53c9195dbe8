"""How far the executors are, as Kafka's own tools show it."""

from __future__ import annotations

from confluent_kafka import Consumer, TopicPartition
from tests.support.offsets import fetch_committed, fetch_end

from triggers.celery.ledger import finished_beyond
from triggers.client.topic_range import read_range
from triggers.settings import Settings
from triggers.topology import Topology


def lag(settings: Settings) -> int:
    """Offsets of the commands topic beyond what the executors have committed; transaction markers count, too."""
    names = Topology(settings.namespace)
    asking = Consumer({"bootstrap.servers": settings.brokers, "group.id": names.executors})
    try:
        places = [TopicPartition(names.commands, p) for p in range(settings.partitions)]
        ends = {tp.partition: fetch_end(asking, tp) for tp in places}
        return sum(ends[tp.partition] - max(tp.offset, 0) for tp in fetch_committed(asking, places))
    finally:
        asking.close()


def finished_beyond_the_commit(settings: Settings, partition: int) -> int:
    """Commands that the last commit of a partition knows to be finished, behind one that is not."""
    names = Topology(settings.namespace)
    asking = Consumer({"bootstrap.servers": settings.brokers, "group.id": names.executors})
    try:
        commit = fetch_committed(asking, [TopicPartition(names.commands, partition)])[0]
    finally:
        asking.close()
    start = max(commit.offset, 0)
    is_finished = finished_beyond(start, commit.metadata)
    return sum(
        is_finished(message.offset() or 0) for message in read_range(settings, names.commands, {partition: start})
    )
