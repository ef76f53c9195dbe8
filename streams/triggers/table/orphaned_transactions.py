"""Workers that are gone and left a transaction open on partitions that are ours now.

Nobody may read past an undecided transaction: neither the restore of the partition nor any consumer of its topics; and
nobody is told where to go on, as long as offsets are part of it. Its own worker ends it when it comes back under the
same id; until then, or until the transaction's timeout, the partition would stand still. Every commit names its worker,
so that the next owner can end the transaction in its place.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from contextlib import closing
from threading import Event, Thread

import structlog
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from triggers.kafka.worker_options import base_options, producer_options
from triggers.settings import Settings
from triggers.topology import Topology

log = structlog.get_logger(__name__)

_ANSWER_S = 5.0
_PATIENCE_S = (0.5, 1.0, 2.0, 2.0)
"""How long to ask for decided offsets, each time before fencing. Whoever reads them asks on after that."""
_LARGEST = 1_000_000
"""Nothing is sent; the options want a limit."""


class OrphanedTransactions:
    """Ends what they have left open. Any thread."""

    def __init__(self, settings: Settings, worker_id: str) -> None:
        self._settings = settings
        self._worker_id = worker_id
        self._names = Topology(settings.namespace)

    def abort_orphans(self, partitions: Iterable[int]) -> bool:
        """Have the open transactions of the last writers of these partitions aborted, unless they are alive.

        Blocks for seconds at most, and does not wait for the outcome: whoever waits for the transaction sees it.
        False: the brokers did not answer, and the transaction's timeout remains.
        """
        try:
            gone = self._departed_writers(partitions)
        except KafkaException as error:
            log.warning("an open transaction cannot be aborted now", error=str(error))
            return False
        for worker in gone:
            log.warning("a worker that is gone left a transaction open; it is aborted", gone=worker)
            Thread(target=self._abort_of, args=(worker,), name=f"abort-{worker}", daemon=True).start()
        return True

    def _abort_of(self, worker: str) -> None:
        """The first request aborts it; librdkafka's next one, which gets the answer, follows half a second later."""
        try:
            Producer(producer_options(self._settings, worker, _LARGEST, _LARGEST)).init_transactions(_ANSWER_S)
        except KafkaException as error:
            log.warning("an open transaction could not be aborted", gone=worker, error=str(error))

    def await_decided_offsets(self, partitions: Collection[int], stop: Event) -> None:
        """Return when the group's offsets of these partitions are decided, or when that takes too long. Blocks.

        A worker that was killed before it had sent a row has left no open transaction in the changelog, but perhaps
        its offsets. A reader of committed offsets is told none of all those that it asks for until that is decided.
        """
        asking = Consumer({**base_options(self._settings), "group.id": self._names.agents})
        places = [TopicPartition(self._names.events, partition) for partition in partitions]
        try:
            for patience_s in _PATIENCE_S if places else ():
                if stop.is_set() or _are_decided(asking, places, patience_s) or not self.abort_orphans(partitions):
                    return
        finally:
            asking.close()

    def _departed_writers(self, partitions: Iterable[int]) -> list[str]:
        """Last writers of the partitions that are not in the group, which is asked last: who has come back is alive."""
        writers = self._last_writers(partitions)
        admin, group = AdminClient(base_options(self._settings)), self._names.agents
        described = admin.describe_consumer_groups([group], request_timeout=_ANSWER_S)[group]
        members = {member.client_id.partition("@")[0] for member in described.result().members}
        return sorted(writers - members - {self._worker_id, ""})

    def _last_writers(self, partitions: Iterable[int]) -> set[str]:
        """Who committed offsets of the partitions last. A reader of stable ones would wait for the very transaction.

        A consumer asks that never joins. librdkafka has an admin call for this, which takes the process down while the
        group's coordinator loads or has just moved: when brokers and workers have just died.
        """
        places = [TopicPartition(self._names.events, partition) for partition in partitions]
        options = {**base_options(self._settings), "group.id": self._names.agents}
        with closing(Consumer({**options, "isolation.level": "read_uncommitted"})) as asking:
            found = asking.committed(places, timeout=_ANSWER_S)
        for place in found:
            if place.error is not None:
                raise KafkaException(place.error)
        return {place.metadata or "" for place in found}


def _are_decided(asking: Consumer, places: list[TopicPartition], within_s: float) -> bool:
    try:
        asking.committed(places, timeout=within_s)
    except KafkaException:
        return False
    return True
