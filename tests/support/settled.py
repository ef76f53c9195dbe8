"""Waiting until the workers have processed everything."""

from __future__ import annotations

from confluent_kafka import Consumer, TopicPartition
from tests.support.offsets import fetch_committed, fetch_end
from tests.support.topic_reader import PATIENCE_S, wait_until
from tests.support.worker_process import workers_of

from triggers.settings import Settings
from triggers.topology import Topology


def group_lag(settings: Settings) -> int:
    """Records of the events topic beyond what the workers' group has committed, as `kafka-consumer-groups` shows it."""
    names = Topology(settings.namespace)
    asking = Consumer({"bootstrap.servers": settings.brokers, "group.id": names.agents})
    try:
        places = [TopicPartition(names.events, p) for p in range(settings.partitions)]
        committed = fetch_committed(asking, places)
        ends = {tp.partition: fetch_end(asking, tp) for tp in places}
        # A broker that has just begun may tell ends before what is committed: no partition makes up for another.
        return sum(abs(ends[tp.partition] - max(tp.offset, 0)) for tp in committed)
    finally:
        asking.close()


def wait_until_processed(settings: Settings, timeout_s: float = PATIENCE_S) -> None:
    """Until every worker that the test has started is ready, and the group's lag is 0.

    The lag alone does not tell: where all offsets are committed already, it is 0 before anybody is up.
    """
    for worker in workers_of(settings):
        worker.wait_ready(timeout_s)
    wait_until(lambda: group_lag(settings) == 0, "the lag is 0", timeout_s)
