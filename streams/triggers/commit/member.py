"""The worker's membership in the consumer group. Every method runs on the worker's one Kafka thread.

Rebalance callbacks run only inside `fetch` and `leave`, never while a batch is committed: whoever fetches looks at
`running` and drops what it has decided for partitions that are gone, so no batch outlives the ownership of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol, TypeVar

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from triggers.agent.records import by_partition
from triggers.commit.fetched_partitions import FetchedPartitions
from triggers.commit.guard import Guard, RecordsSkipped
from triggers.commit.lost_offsets import OFFSET_LOST, OFFSET_MOVED, LostPlace
from triggers.commit.ownership import Ownership
from triggers.commit.standstill_watch import StandstillWatch
from triggers.commit.transaction import Aborted
from triggers.kafka.connection import Options
from triggers.kafka.consumer_events import stop_unless_transient
from triggers.kafka.error_codes import ALL_BROKERS_DOWN, NO_SUCH_OFFSET, PARTITION_EOF
from triggers.kafka.group_metadata import UnknownMetadata, generation_of
from triggers.kafka.records import Record, or_minus_one
from triggers.process.exits import ExitCode, Stop

log = structlog.get_logger(__name__)
T = TypeVar("T")


class RebalanceListener(Protocol):
    """Is told of rebalances, on the Kafka thread; fetching goes on when the call returns."""

    def on_gained(self, partitions: frozenset[int]) -> None:
        """These are ours, on top of what we have."""

    def on_lost(self, partitions: frozenset[int]) -> None:
        """These are ours no longer; others may be writing them already."""


class Member:
    """A cooperative-sticky member of the workers' group that reads the events."""

    def __init__(  # noqa: PLR0913, PLR0917  # everything a member needs
        self,
        options: Options,
        topic: str,
        ownership: Ownership,
        rebalances: RebalanceListener,
        guard: Guard,
        standstills: StandstillWatch,
        *,
        is_empty: Callable[[int], bool],
        patience_s: float,
    ) -> None:
        """`is_empty`: whether a recovered partition has no rows at all."""
        self._topic = topic
        self._group = str(options["group.id"])
        self._worker_id = str(options["client.id"]).partition("@")[0]
        self._ownership = ownership
        self._rebalances = rebalances
        self._guard = guard
        self._standstills = standstills
        self._is_empty = is_empty
        self._patience_s = patience_s
        self.consuming: frozenset[int] = frozenset()
        """Partitions that are read: owned, recovered, and set to what the group has committed."""
        self.committed: dict[int, int] = {}
        """Partition -> next offset of the group, of every ready partition."""
        self._kafka = Consumer({**options, "error_cb": _log_error})
        self._fetched = FetchedPartitions(self._kafka, topic)

    def join_group(self) -> None:
        """Subscribe; the assignment follows in a `fetch`. Raises Stop for a librdkafka that fences in another way."""
        try:
            generation_of(self._kafka.consumer_group_metadata())
        except UnknownMetadata as error:
            raise Stop(ExitCode.MISFIT, str(error)) from error
        self._kafka.subscribe(
            [self._topic], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_revoke
        )

    def fetch(self, max_records: int, idle_s: float) -> dict[int, list[Record]]:
        """Records of ready partitions, by partition; waits up to `idle_s` for the first one, for no other.

        `consume(most, timeout)` alone would wait its whole timeout for the last record of a batch.
        Raises RecordsSkipped, see `Guard`, when records before these are missing.
        """
        self._start_recovered()
        first = self._kafka.poll(idle_s)
        messages = [] if first is None else [first, *self._kafka.consume(max_records - 1, 0)]
        try:
            records = self._by_partition(messages)
            self._guard.check_records(records)
            self._standstills.look(self.consuming, len(messages), drained=len(messages) < max_records, lag=self.lag)
        except RecordsSkipped as skipped:
            self._fetched.distrust(skipped.partitions)
            raise
        return records

    def rewind(self) -> None:
        """Read on from what the group has committed: the next `fetch` sees to it, and drops what was fetched beyond."""
        self.consuming = frozenset()

    def offsets_past_markers(self) -> dict[int, int]:
        """Partition -> position, where it is past what is committed although no record is left to process.

        Transaction markers take offsets: without committing them the group's lag would never read 0. That there is
        nothing but markers is proved first.
        """
        places = self._kafka.position([TopicPartition(self._topic, p) for p in self.consuming])
        ahead = {tp.partition: tp.offset for tp in places if tp.offset > self.committed.get(tp.partition, tp.offset)}
        try:
            return self._guard.check_positions(ahead) if ahead else {}
        except RecordsSkipped as skipped:
            self._fetched.distrust(skipped.partitions)
            raise

    def lag(self) -> dict[int, int]:
        """Partition -> offsets between what is committed and the end, transaction markers included.

        Only of partitions whose end the broker has told us; to say 0 of the others would be a guess.
        """
        ends = {p: self._end(p) for p in self.consuming & self.committed.keys()}
        return {p: max(0, end - self.committed[p]) for p, end in ends.items() if end >= 0}

    def _end(self, partition: int) -> int:
        """The end at the last fetch, of undecided transactions too; negative: nothing was fetched yet."""
        offsets = self._kafka.get_watermark_offsets(TopicPartition(self._topic, partition), cached=True)
        return offsets[1] if offsets else -1

    def group_metadata(self) -> bytes:
        """Who we are in the group: the member id and the generation, which fence a late transaction.

        librdkafka forgets each of them when it learns that it was expelled, and the broker takes the offsets of a
        transaction from anybody who names neither. Raises Aborted without a generation.
        """
        metadata: bytes = self._kafka.consumer_group_metadata()
        if generation_of(metadata) < 0:
            raise Aborted("NO_GENERATION")
        return metadata

    def leave_group(self) -> None:
        """Leave the group; partitions are given up in the ordinary way. The member cannot be used again."""
        self._kafka.close()
        self._standstills.close()
        self._guard.close()

    def _on_assign(self, kafka: Consumer, partitions: list[TopicPartition]) -> None:  # noqa: ARG002  # confluent-kafka's
        """They are fetched once they are recovered, when it is known from where (`_start_recovered`)."""
        gained = frozenset(tp.partition for tp in partitions)
        self._fetched.accept_gained()
        self._ownership.assign(gained)
        self._rebalances.on_gained(gained)

    def _on_revoke(self, kafka: Consumer, partitions: list[TopicPartition]) -> None:  # noqa: ARG002  # confluent-kafka's
        gone = frozenset(tp.partition for tp in partitions)
        self._ownership.revoke(gone)
        self.consuming -= gone
        self.committed = {p: offset for p, offset in self.committed.items() if p not in gone}
        self._guard.forget(gone)
        self._rebalances.on_lost(gone)
        self._fetched.accept_revoked(gone)

    def _start_recovered(self) -> None:
        if fresh := self._ownership.ready - self.consuming:
            asked = [TopicPartition(self._topic, p) for p in sorted(fresh)]
            answer = self._retry(lambda: self._committed(asked))
            places = [self._starting_offset(tp) for tp in answer]
            if self._claim_partitions(places):
                self._check_unmoved(answer)
                for place in places:
                    self._start_partition(place)
                self.consuming |= fresh

    def _committed(self, asked: list[TopicPartition]) -> list[TopicPartition]:
        """An offset that is not known is no offset: reading from the beginning would apply everything twice."""
        found = self._kafka.committed(asked, timeout=10)
        for partition in found:
            if partition.error is not None:
                raise KafkaException(partition.error)
        return found

    def _starting_offset(self, committed: TopicPartition) -> TopicPartition:
        """Where to read on, and who was there last.

        Within one ownership that is where we have come to: rows and offsets are committed together. An answer that says
        otherwise was written by somebody else, and whoever believed it would skip events. Ours is signed again; that is
        refused, as it should be, if the partition is not ours any more and we have not been told yet.
        """
        known = self.committed.get(committed.partition, committed.offset)
        if known != committed.offset:
            return TopicPartition(self._topic, committed.partition, known)
        if committed.offset >= 0:
            return committed
        return TopicPartition(self._topic, committed.partition, self._first_offset(committed.partition))

    def _first_offset(self, partition: int) -> int:
        if not self._is_empty(partition):  # rows and offsets are committed together: somebody has removed the offset
            raise Stop(ExitCode.MISFIT, OFFSET_LOST.format(topic=self._topic, partition=partition))
        return self._retry(lambda: self._ask_ends(partition, 10))[0]

    def _claim_partitions(self, places: list[TopicPartition]) -> bool:
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

    def _check_unmoved(self, answer: list[TopicPartition]) -> None:
        """Raise Stop where the group's offset was not what we had committed; it has been put back."""
        for told in answer:
            known = self.committed.get(told.partition, told.offset)
            if known != told.offset:
                why = OFFSET_MOVED.format(
                    topic=self._topic, partition=told.partition, group=self._group, told=told.offset, known=known
                )
                raise Stop(ExitCode.FENCED, why)

    def _start_partition(self, place: TopicPartition) -> None:
        self._fetched.fetch_from(place.partition, place.offset)
        self._guard.start(place.partition, place.offset)
        self.committed[place.partition] = place.offset

    def _by_partition(self, messages: list[Message]) -> dict[int, list[Record]]:
        records, errors = by_partition(messages)
        for message in errors:
            self._survive(message)
        # A poll that ran a rebalance may also return records of the assignment before it.
        return {p: found for p, found in records.items() if p in self.consuming}

    def _survive(self, message: Message) -> None:
        error = message.error()
        if error is None or error.code() == PARTITION_EOF:
            return
        if error.code() in NO_SUCH_OFFSET:
            self._survive_lost_place(or_minus_one(message.partition()))
        else:
            stop_unless_transient(message, error)

    def _survive_lost_place(self, partition: int) -> None:
        """librdkafka fetches the partition no more: the broker says that it does not have the offset.

        Raises Stop if that is so; RecordsSkipped if it may have been about an offset of an earlier time.
        """
        self._fetched.distrust([partition])
        if partition in self.consuming:
            committed = self.committed[partition]
            first, end = self._retry(lambda: self._ask_ends(partition, 10))
            lost = LostPlace(self._topic, self._group, partition, committed, first, end)
            if lost.is_removed or (lost.is_truncated and self._guard.refusals(partition)):
                raise Stop(ExitCode.EVENTS_GONE, str(lost))
            raise self._guard.refuse({partition: f"partition {partition}: the broker did not find offset {committed}"})

    def _ask_ends(self, partition: int, within_s: float) -> tuple[int, int]:
        """The partition's first offset, and the end of its committed records, both as the broker says now."""
        return self._kafka.get_watermark_offsets(TopicPartition(self._topic, partition), timeout=within_s)

    def _retry(self, call: Callable[[], T]) -> T:
        deadline = time.monotonic() + self._patience_s
        while True:
            try:
                return call()
            except KafkaException as error:
                if time.monotonic() > deadline:
                    raise Stop(ExitCode.BROKER, f"reading offsets: {error}") from error
                time.sleep(0.2)


def _log_error(error: KafkaError) -> None:
    if error.fatal() or error.code() == ALL_BROKERS_DOWN:
        log.warning("the consumer lost its brokers", error=error.name(), detail=error.str())
