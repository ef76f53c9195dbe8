"""Waits until the workers have processed everything."""

from __future__ import annotations

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from tests.support.topic_reader import PATIENCE_S, wait_until
from tests.support.worker_process import workers_of

from triggers.settings import Settings
from triggers.topology import Topology

_ELECTING = {
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
}


def group_lag(settings: Settings) -> int:
    """Returns the lag of the workers' group on the events topic, as `kafka-consumer-groups` shows it."""
    names = Topology(settings.namespace)
    consumer = Consumer({"bootstrap.servers": settings.brokers, "group.id": names.agents})
    try:
        partitions = [TopicPartition(names.events, p) for p in range(settings.partitions)]
        committed = consumer.committed(partitions, timeout=30)
        ends = {tp.partition: consumer.get_watermark_offsets(tp, timeout=30)[1] for tp in partitions}
        # A broker that has just started may return an end below the committed offset. `abs` keeps that partition from
        # cancelling the lag of another.
        return sum(abs(ends[tp.partition] - max(tp.offset, 0)) for tp in committed)
    finally:
        consumer.close()


def wait_until_processed(settings: Settings, timeout_s: float = PATIENCE_S) -> None:
    """Waits until every worker that the test has started is ready and the group's lag is 0.

    The lag alone is not enough: if all offsets are committed already, it is 0 before any worker is up.
    """
    for worker in workers_of(settings):
        worker.wait_ready(timeout_s)
    wait_until(lambda: _is_processed(settings), "the lag is 0", timeout_s)


def _is_processed(settings: Settings) -> bool:
    """Returns whether the lag is 0. False while a leader is being elected, such as on a new broker or topic."""
    try:
        return group_lag(settings) == 0
    except KafkaException as error:
        if error.args[0].code() not in _ELECTING:
            raise
        return False
