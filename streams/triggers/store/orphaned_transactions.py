"""Orphaned transactions: a worker that is gone left them open on partitions that this worker owns now.

Nobody can read past an open transaction: neither the restore of the partition nor any consumer of its topics. If it
contains offsets of the group, the broker does not return committed offsets either. The transaction ends when its worker
comes back under the same id, or when it times out; until then the partition would stand still. Every commit stores the
worker's id, so that the next owner of the partition can abort the transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from contextlib import closing
from threading import Event, Thread

import structlog
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from triggers.kafka.connection import Options, admin_client
from triggers.kafka.start_offsets import committed_offsets
from triggers.kafka.worker_options import CRITICAL_LOG, consumer_options, producer_options
from triggers.settings import Settings
from triggers.topology import Topology

log = structlog.get_logger(__name__)

_ANSWER_S = 5.0
_PATIENCE_S = (0.5, 1.0, 2.0, 2.0)
"""Timeouts of the queries for decided offsets. Orphans are aborted after each of them that fails."""
_LARGEST = 1_000_000
"""A size limit that the producer's options require. Nothing is sent."""


class OrphanedTransactions:
    """Aborts orphaned transactions. Thread-safe."""

    def __init__(self, settings: Settings, worker_id: str) -> None:
        self._settings = settings
        self._worker_id = worker_id
        self._names = Topology(settings.namespace)

    def abort_orphans(self, partitions: Iterable[int]) -> bool:
        """Starts to abort the open transactions of these partitions' last writers, except of those that are alive.

        Blocks for a few seconds at most and does not wait for the outcome, which readers of the partition will see.
        Returns False if the brokers did not answer; the transactions then end by their timeout.
        """
        try:
            gone = self._departed_writers(partitions)
        except KafkaException as error:
            log.warning("orphaned transactions cannot be aborted now", error=str(error))
            return False
        for worker in gone:
            log.warning("a worker is gone; its open transaction, if any, is aborted", gone=worker)
            Thread(target=self._abort_transaction_of, args=(worker,), name=f"abort-{worker}", daemon=True).start()
        return True

    def _abort_transaction_of(self, worker: str) -> None:
        """Aborts the worker's transaction by fencing it. Blocks.

        The first request aborts the transaction. librdkafka repeats it half a second later and then gets the answer.
        """
        try:
            Producer(producer_options(self._settings, worker, _LARGEST, _LARGEST)).init_transactions(_ANSWER_S)
        except KafkaException as error:
            log.warning("an orphaned transaction could not be aborted", gone=worker, error=str(error))

    def await_decided_offsets(self, partitions: Collection[int], stop: Event) -> None:
        """Returns when the group's offsets of these partitions are decided, or when that takes too long. Blocks.

        A worker that was killed before it had sent a row may have left an open transaction that holds only offsets, so
        the restore does not notice it. Until it is decided, an OffsetFetch returns no stable offsets, not even those of
        other partitions.
        """
        consumer = Consumer(consumer_options(self._settings, {"group.id": self._names.agents}))
        asked = [TopicPartition(self._names.events, partition) for partition in partitions]
        try:
            for patience_s in _PATIENCE_S if asked else ():
                if stop.is_set() or _are_decided(consumer, asked, patience_s) or not self.abort_orphans(partitions):
                    return
        finally:
            consumer.close()

    def _departed_writers(self, partitions: Iterable[int]) -> list[str]:
        """Returns the last writers of the partitions that are not in the group.

        The group is queried last, so that a worker that has just come back counts as alive.
        """
        writers = self._last_writers(partitions)
        admin, group = admin_client(self._settings, CRITICAL_LOG), self._names.agents
        described = admin.describe_consumer_groups([group], request_timeout=_ANSWER_S)[group]
        members = {member.client_id.partition("@")[0] for member in described.result().members}
        return sorted(writers - members - {self._worker_id, ""})

    def _last_writers(self, partitions: Iterable[int]) -> set[str]:
        """Returns the ids of the workers that last committed offsets of the partitions.

        Uncommitted reads are necessary, because an OffsetFetch of stable offsets would wait for the orphaned
        transaction. The consumer never joins the group. librdkafka's admin call for this crashes the process while the
        group's coordinator loads or has just moved, which happens when brokers and workers have just died.
        """
        asked = [TopicPartition(self._names.events, partition) for partition in partitions]
        ours: Options = {"group.id": self._names.agents, "isolation.level": "read_uncommitted"}
        with closing(Consumer(consumer_options(self._settings, ours))) as consumer:
            return {each.metadata or "" for each in committed_offsets(consumer, asked, _ANSWER_S)}


def _are_decided(consumer: Consumer, asked: list[TopicPartition], within_s: float) -> bool:
    try:
        consumer.committed(asked, timeout=within_s)
    except KafkaException:
        return False
    return True
