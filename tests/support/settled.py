"""Waits until the workers have processed everything."""

from __future__ import annotations

from confluent_kafka import TopicPartition
from tests.support.kept_consumers import kept_consumer
from tests.support.offsets import fetch_committed, fetch_ends
from tests.support.topic_reader import PATIENCE_S, wait_until
from tests.support.worker_process import workers_of

from triggers.settings import Settings
from triggers.topology import Topology


def group_lag(settings: Settings) -> int:
    """Returns the lag of the workers' group on the events topic, as `kafka-consumer-groups` shows it."""
    names = Topology(settings.namespace)
    consumer = kept_consumer(settings.brokers, names.agents)
    committed = fetch_committed(consumer, [TopicPartition(names.events, p) for p in range(settings.partitions)])
    ends = fetch_ends(consumer, names.events, range(settings.partitions))
    # A broker that has just begun may tell ends before what is committed: no partition makes up for another.
    return sum(abs(ends[tp.partition] - max(tp.offset, 0)) for tp in committed)


def wait_until_processed(settings: Settings, timeout_s: float = PATIENCE_S) -> None:
    """Waits until every worker that the test has started is ready and the group's lag is 0.

    The lag alone is not enough: if all offsets are committed already, it is 0 before any worker is up.
    """
    for worker in workers_of(settings):
        worker.wait_ready(timeout_s)
    wait_until(lambda: group_lag(settings) == 0, "the lag is 0", timeout_s)
