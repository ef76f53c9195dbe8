"""The worker's membership in the consumer group. Every method runs on the worker's one Kafka thread.

Rebalance callbacks run only inside `fetch` and `leave`, never while a batch is committed: whoever fetches looks at
`running` and drops what it has decided for partitions that are gone, so no batch outlives the ownership of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol, TypeVar

import structlog
from confluent_kafka import OFFSET_END, Consumer, KafkaError, KafkaException, Message, TopicPartition

from triggers.kafka.error_codes import ALL_BROKERS_DOWN, PARTITION_EOF
from triggers.kafka.records import Record
from triggers.processing.exits import ExitCode, Stop
from triggers.processing.kafka_options import Options
from triggers.processing.ownership import Ownership
from triggers.processing.records import by_partition

log = structlog.get_logger(__name__)
T = TypeVar("T")


class Rebalances(Protocol):
    """Is told of rebalances, on the Kafka thread; fetching goes on when the call returns."""

    def gained(self, partitions: frozenset[int]) -> None:
        """These are ours, on top of what we have."""

    def lost(self, partitions: frozenset[int]) -> None:
        """These are ours no longer; others may be writing them already."""


_OFFSET_LOST = (
    "the group has no offset for partition {partition} of {topic}, but its sessions are there: reading it from the"
    " beginning would apply its events twice. Kafka forgets the offsets of a group that was away for longer than"
    " offsets.retention.minutes; set them with kafka-consumer-groups.sh --reset-offsets to the first event that is not"
    " in the sessions yet"
)


class Member:
    """A cooperative-sticky member of the workers' group that reads the events."""

    def __init__(  # noqa: PLR0913  # everything a member needs
        self,
        options: Options,
        topic: str,
        ownership: Ownership,
        rebalances: Rebalances,
        *,
        is_empty: Callable[[int], bool],
        patience_s: float,
    ) -> None:
        """`is_empty`: whether a recovered partition has no rows at all."""
        self._topic = topic
        self._worker_id = str(options["client.id"]).partition("@")[0]
        self._ownership = ownership
        self._rebalances = rebalances
        self._is_empty = is_empty
        self._patience_s = patience_s
        self.running: frozenset[int] = frozenset()
        """Partitions that are read: owned, recovered, and set to what the group has committed."""
        self.committed: dict[int, int] = {}
        """Partition -> next offset of the group, of every ready partition."""
        self._kafka = Consumer({**options, "error_cb": _say})

    def join(self) -> None:
        """Subscribe; the assignment follows in a `fetch`."""
        self._kafka.subscribe(
            [self._topic], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_revoke
        )

    def fetch(self, most: int, idle_s: float) -> dict[int, list[Record]]:
        """Records of ready partitions, by partition; waits up to `idle_s` for the first one, for no other.

        `consume(most, timeout)` alone would wait its whole timeout for the last record of a batch.
        """
        self._start_recovered()
        first = self._kafka.poll(idle_s)
        if first is None:
            return {}
        return self._by_partition([first, *self._kafka.consume(most - 1, 0)])

    def rewind(self) -> None:
        """Read on from what the group has committed: the next `fetch` sees to it, and drops what was fetched beyond."""
        self.running = frozenset()

    def _beginning(self, partition: int) -> int:
        if not self._is_empty(partition):  # rows and offsets are committed together: somebody has removed the offset
            raise Stop(ExitCode.MISFIT, _OFFSET_LOST.format(topic=self._topic, partition=partition))
        where = TopicPartition(self._topic, partition)
        return self._insist(lambda: self._kafka.get_watermark_offsets(where, timeout=10))[0]

    def advanced(self) -> dict[int, int]:
        """Partition -> position, where it is past what is committed although no record is left to process.

        Transaction markers take offsets: without committing them the group's lag would never read 0.
        """
        places = self._kafka.position([TopicPartition(self._topic, p) for p in self.running])
        return {tp.partition: tp.offset for tp in places if tp.offset > self.committed.get(tp.partition, tp.offset)}

    def lag(self) -> dict[int, int]:
        """Partition -> records that are published and not processed, as far as the broker has told us."""
        ends = {p: self._end(p) for p in self.running}
        return {p: max(0, end - self.committed.get(p, end)) for p, end in ends.items()}

    def _end(self, partition: int) -> int:
        offsets = self._kafka.get_watermark_offsets(TopicPartition(self._topic, partition), cached=True)
        return offsets[1] if offsets else 0

    def group_metadata(self) -> object:
        """Who we are in the group: the generation that fences a late transaction."""
        return self._kafka.consumer_group_metadata()

    def leave(self) -> None:
        """Leave the group; partitions are given up in the ordinary way. The member cannot be used again."""
        self._kafka.close()

    def _on_assign(self, kafka: Consumer, partitions: list[TopicPartition]) -> None:
        """Where to begin is found out once they are recovered (`_start_recovered`).

        Left to itself, librdkafka asks for the group's offsets, asks again half a second later while a transaction with
        offsets is undecided, and cannot seek meanwhile: 0.6 s of a killed worker's stall.
        """
        gained = frozenset(tp.partition for tp in partitions)
        kafka.incremental_assign([TopicPartition(self._topic, p, OFFSET_END) for p in gained])
        kafka.pause(partitions)
        self._ownership.assign(gained)
        self._rebalances.gained(gained)

    def _on_revoke(self, kafka: Consumer, partitions: list[TopicPartition]) -> None:
        gone = frozenset(tp.partition for tp in partitions)
        self._ownership.revoke(gone)
        self.running -= gone
        self.committed = {p: offset for p, offset in self.committed.items() if p not in gone}
        self._rebalances.lost(gone)
        kafka.incremental_unassign(partitions)

    def _start_recovered(self) -> None:
        if fresh := self._ownership.ready - self.running:
            asked = [TopicPartition(self._topic, p) for p in sorted(fresh)]
            places = [self._place(tp) for tp in self._insist(lambda: self._committed(asked))]
            if self._sign(places):
                self.running |= frozenset(tp.partition for tp in places if self._start(tp))

    def _committed(self, asked: list[TopicPartition]) -> list[TopicPartition]:
        """An offset that is not known is no offset: reading from the beginning would apply everything twice."""
        found = self._kafka.committed(asked, timeout=10)
        for partition in found:
            if partition.error is not None:
                raise KafkaException(partition.error)
        return found

    def _place(self, committed: TopicPartition) -> TopicPartition:
        """Where to read on, and who was there last."""
        if committed.offset >= 0:
            return committed
        return TopicPartition(self._topic, committed.partition, self._beginning(committed.partition))

    def _sign(self, places: list[TopicPartition]) -> bool:
        """Name ourselves as the writer of partitions that were another's; False: not possible now.

        Every commit does (see `predecessors`), but it may be its first one of a partition that a worker dies in.
        """
        others = [tp for tp in places if tp.metadata != self._worker_id]
        ours = [TopicPartition(self._topic, tp.partition, tp.offset, self._worker_id) for tp in others]
        try:
            answer = self._kafka.commit(offsets=ours, asynchronous=False) if ours else []
        except KafkaException as error:
            log.info("partitions cannot be taken over yet", reason=error.args[0].str())
            return False
        return not any(tp.error for tp in answer or [])

    def _start(self, place: TopicPartition) -> bool:
        """Read a partition from here; False: not possible yet, its assignment is still on the way inside librdkafka."""
        where = TopicPartition(self._topic, place.partition, place.offset)
        try:
            self._kafka.seek(where)
        except KafkaException as error:
            log.info("partition cannot be read yet", partition=place.partition, reason=error.args[0].str())
            return False
        self._kafka.resume([where])
        self.committed[place.partition] = place.offset
        return True

    def _by_partition(self, messages: list[Message]) -> dict[int, list[Record]]:
        records, errors = by_partition(messages)
        for error in errors:
            _survive(error)
        # A poll that ran a rebalance may also return records of the assignment before it.
        return {p: found for p, found in records.items() if p in self.running}

    def _insist(self, call: Callable[[], T]) -> T:
        deadline = time.monotonic() + self._patience_s
        while True:
            try:
                return call()
            except KafkaException as error:
                if time.monotonic() > deadline:
                    raise Stop(ExitCode.BROKER, f"reading committed offsets: {error}") from error
                time.sleep(0.2)


def _say(error: KafkaError) -> None:
    if error.fatal() or error.code() == ALL_BROKERS_DOWN:
        log.warning("the consumer lost its brokers", error=error.name(), detail=error.str())


def _survive(error: KafkaError) -> None:
    if error.fatal():
        raise Stop(ExitCode.FENCED, str(error))
    if error.code() != PARTITION_EOF:
        log.warning("the consumer reports", error=error.name(), detail=error.str())
