"""A worker ends for good in the middle of a transaction."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable

import msgspec
import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from tests.support.fold_oracle import assert_equals_fold
from tests.support.offsets import commit_offsets
from tests.support.questionnaires import Application, interleaved
from tests.support.settled import wait_until_processed
from tests.support.topic_reader import wait_until
from tests.support.topic_setup import create_topics
from tests.support.worker_process import WorkerProcess

from triggers.dev.broker import Broker
from triggers.kafka.worker_options import producer_options
from triggers.settings import Settings
from triggers.store.orphaned_transactions import OrphanedTransactions
from triggers.topology import Topology

pytestmark = pytest.mark.broker

BEYOND_THE_TEST_S = 600.0
"""Transaction timeout of the dead worker, so long that the broker does not abort the transaction during the test."""


def producer_of(worker: str, settings: Settings) -> Producer:
    """Makes a producer with the worker's id, in a transaction that the broker does not time out."""
    patient = msgspec.structs.replace(settings, transaction_timeout_s=BEYOND_THE_TEST_S)
    producer = Producer(producer_options(patient, worker, 1_000_000, 1_000_000))
    producer.init_transactions(30)
    producer.begin_transaction()
    return producer


def leave_open(settings: Settings, worker: str, partition: int) -> Producer:
    """Leaves an open transaction, as a worker does that is killed before its commit and never comes back."""
    names = Topology(settings.namespace)
    before = Consumer({"bootstrap.servers": settings.brokers, "group.id": names.agents, "enable.auto.commit": False})
    commit_offsets(before, [TopicPartition(names.events, partition, 0, worker)])
    before.close()
    producer = producer_of(worker, settings)
    producer.produce(names.changelog, b"never committed", b"sghost", partition)
    producer.flush(30)
    return producer


def leave_offsets_open(settings: Settings, worker: str, partition: int) -> Producer:
    """Leaves an open transaction with offsets but without rows."""
    names = Topology(settings.namespace)
    before = Consumer({"bootstrap.servers": settings.brokers, "group.id": names.agents, "enable.auto.commit": False})
    offsets = [TopicPartition(names.events, partition, 0, worker)]
    commit_offsets(before, offsets)
    producer = producer_of(worker, settings)
    producer.send_offsets_to_transaction(offsets, before.consumer_group_metadata(), 30)
    before.close()
    return producer


def leave_its_first_open(settings: Settings, worker: str, partition: int) -> Producer:
    """Leaves an open transaction that is the worker's first since the partition was assigned to it."""
    with WorkerProcess(settings, worker) as first:
        wait_until(lambda: len(first.partitions()) == settings.partitions, "it owns everything")
        wait_until(lambda: signatures(settings) == {worker}, "it has signed the offsets")
    producer = producer_of(worker, settings)
    producer.produce(Topology(settings.namespace).changelog, b"never committed", b"sghost", partition)
    producer.flush(30)
    return producer


def signatures(settings: Settings) -> set[str]:
    """Returns the owners of the partitions according to the group's committed offsets."""
    names = Topology(settings.namespace)
    consumer = Consumer({"bootstrap.servers": settings.brokers, "group.id": names.agents})
    positions = [TopicPartition(names.events, partition) for partition in range(settings.partitions)]
    owners = {place.metadata or "" for place in consumer.committed(positions, timeout=30)}
    consumer.close()
    return owners


@pytest.mark.parametrize("leave", [leave_open, leave_offsets_open, leave_its_first_open])
def test_a_transaction_that_a_dead_worker_left_open_does_not_block_its_successor(
    settings: Settings, leave: Callable[[Settings, str, int], Producer]
) -> None:
    create_topics(settings)
    ghost = leave(settings, "ghost", 1)
    application = Application(settings)
    for uid, event in interleaved(sessions=20, pages=3):
        application.fire(uid, event)
    application.flush()

    with WorkerProcess(settings, "w0") as worker:
        wait_until_processed(settings)

        assert "gone=ghost" in worker.log_text()
        assert_equals_fold(settings)
    with pytest.raises(KafkaException) as refused:
        ghost.commit_transaction(30)
    assert refused.value.args[0].code() in {KafkaError._FENCED, KafkaError.INVALID_PRODUCER_EPOCH}


def fence(settings: Settings) -> None:
    OrphanedTransactions(settings, "w0").abort_orphans(range(settings.partitions))


def test_a_worker_survives_asking_for_predecessors_while_the_groups_coordinator_loads(
    own_broker: Broker, namespace: str
) -> None:
    """The call runs in a separate process, because librdkafka's admin call for the same crashed the process."""
    settings = Settings(brokers=own_broker.address, namespace=namespace, partitions=4)
    process = multiprocessing.get_context("spawn").Process(target=fence, args=(settings,))
    process.start()
    process.join(60)

    assert process.exitcode == 0
