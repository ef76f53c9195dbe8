"""The worker's membership in the consumer group. Every method runs on the worker's one Kafka thread.

Rebalance callbacks run only inside `fetch` and `leave_group`, never while a batch is committed. After a fetch, the pump
compares `consuming` with its decided batch, and drops the batch if a partition was lost.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final, Protocol, TypeVar

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from triggers.agent.consumer.fetched_partitions import FetchedPartitions
from triggers.agent.consumer.fetched_records import by_partition
from triggers.agent.consumer.guard import Guard, WrongPosition
from triggers.agent.consumer.lost_offsets import OFFSET_LOST, OFFSET_MOVED, ROWS_LOST, LostOffset
from triggers.agent.consumer.ownership import Ownership
from triggers.agent.consumer.standstill_watch import StandstillWatch
from triggers.kafka.connection import Options
from triggers.kafka.consumer_errors import stop_unless_transient
from triggers.kafka.error_codes import ALL_BROKERS_DOWN, AUTHENTICATION, NO_SUCH_OFFSET, PARTITION_EOF, SSL
from triggers.kafka.followed_password import NOT_FOLLOWED, FollowedPassword
from triggers.kafka.group_metadata import UnknownMetadata, generation_of
from triggers.kafka.rate_limited_log import RateLimitedLog
from triggers.kafka.records import Record, or_minus_one
from triggers.kafka.start_offsets import committed_offsets
from triggers.process.exits import ExitCode, Stop
from triggers.store.transaction import Aborted

log = structlog.get_logger(__name__)
_refusals = RateLimitedLog(logging.getLogger(__name__))
"""librdkafka reports a refusal with each attempt to connect again."""
_ANSWER_S: Final = 10.0
T = TypeVar("T")


class RebalanceListener(Protocol):
    """Callbacks for rebalances. They run on the Kafka thread and block fetching until they return."""

    def on_gained(self, partitions: frozenset[int]) -> None:
        """Called when more partitions were assigned to this worker."""

    def on_lost(self, partitions: frozenset[int]) -> None:
        """Called when partitions were revoked or lost. Other workers may already be writing them."""


class Member:
    """A cooperative-sticky member of the workers' group. It reads the events of its partitions."""

    def __init__(
        self,
        options: Options,
        topic: str,
        ownership: Ownership,
        rebalances: RebalanceListener,
        guard: Guard,
        *,
        standstills: StandstillWatch,
        is_empty: Callable[[int], bool],
        keeps_rows: bool,
        patience_s: float,
        password: FollowedPassword = NOT_FOLLOWED,
    ) -> None:
        """With `keeps_rows`, a partition with applied events is not empty. `patience_s` limits each read of offsets."""
        self._topic = topic
        self._group = str(options["group.id"])
        self._worker_id = str(options["client.id"]).partition("@")[0]
        self._ownership = ownership
        self._rebalances = rebalances
        self._guard = guard
        self._standstills = standstills
        self._is_empty = is_empty
        self._keeps_rows = keeps_rows
        self._patience_s = patience_s
        self._password = password
        self.consuming: frozenset[int] = frozenset()
        """Partitions that are read: they are owned, restored, and set to the group's committed offset."""
        self.committed: dict[int, int] = {}
        """The group's committed offset of each partition that is read."""
        self._kafka = Consumer({**options, "error_cb": _log_error})
        self._fetched = FetchedPartitions(self._kafka, topic)

    def join_group(self) -> None:
        """Subscribes; the assignment arrives in a later `fetch`. Raises Stop for an unsupported librdkafka."""
        try:
            generation_of(self._kafka.consumer_group_metadata())
        except UnknownMetadata as error:
            raise Stop(ExitCode.MISFIT, str(error)) from error
        self._kafka.subscribe(
            [self._topic], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_revoke
        )

    def fetch(self, max_records: int, idle_s: float, not_before: float = 0.0) -> dict[int, list[Record]]:
        """Returns records of ready partitions, by partition. Waits up to `idle_s` for the first one.

        Collects others until the moment `not_before` of `time.monotonic()`; `consume` alone would wait for the last
        record of a batch. Raises WrongPosition if records before these are missing.
        """
        self._password.renew(self._kafka)
        self._start_restored()
        first = self._kafka.poll(idle_s)
        collect_s = max(0.0, not_before - time.monotonic())
        messages = [] if first is None else [first, *self._kafka.consume(max_records - 1, collect_s)]
        try:
            records = self._by_partition(messages)
            self._guard.check_records(records)
            self._standstills.look(self.consuming, len(messages), drained=len(messages) < max_records, lag=self.lag)
        except WrongPosition as error:
            self._fetched.distrust(error.partitions)
            raise
        return records

    def rewind(self) -> None:
        """Goes back to the group's committed offsets. The next `fetch` seeks there and drops records fetched before."""
        self.consuming = frozenset()

    def offsets_past_markers(self) -> dict[int, int]:
        """Returns the positions of partitions whose committed offset is behind only because of transaction markers.

        Markers occupy offsets, so the lag reaches 0 only if these positions are committed. The guard proves first that
        there are no records before them. Raises WrongPosition if there are.
        """
        positions = self._kafka.position([TopicPartition(self._topic, p) for p in self.consuming])
        ahead = {tp.partition: tp.offset for tp in positions if tp.offset > self.committed.get(tp.partition, tp.offset)}
        try:
            return self._guard.check_positions(ahead) if ahead else {}
        except WrongPosition as error:
            self._fetched.distrust(error.partitions)
            raise

    def lag(self) -> dict[int, int]:
        """Returns the number of offsets between the committed one and the end by partition, markers included.

        Partitions whose end is unknown, because nothing was fetched of them yet, are omitted.
        """
        ends = {p: self._end(p) for p in self.consuming & self.committed.keys()}
        return {p: max(0, end - self.committed[p]) for p, end in ends.items() if end >= 0}

    def _end(self, partition: int) -> int:
        """Returns the end as of the last fetch, open transactions included, or a negative number before the first."""
        offsets = self._kafka.get_watermark_offsets(TopicPartition(self._topic, partition), cached=True)
        return offsets[1] if offsets else -1

    def group_metadata(self) -> bytes:
        """Returns the member id and the generation in the group. The broker uses them to fence a late transaction.

        Raises Aborted if there is no generation: librdkafka forgets both when it learns that it was expelled, and the
        broker accepts a transaction's offsets from any producer that sends neither.
        """
        metadata: bytes = self._kafka.consumer_group_metadata()
        if generation_of(metadata) < 0:
            raise Aborted("NO_GENERATION")
        return metadata

    def leave_group(self) -> None:
        """Leaves the group after its partitions were revoked. Blocks. The member cannot be used again."""
        self._kafka.close()
        self._standstills.close()
        self._guard.close()

    def _on_assign(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        """Accepts partitions without fetching them; `_start_restored` fetches them once they are restored."""
        gained = frozenset(tp.partition for tp in partitions)
        self._fetched.accept_gained()
        self._ownership.assign(gained)
        self._rebalances.on_gained(gained)

    def _on_revoke(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        gone = frozenset(tp.partition for tp in partitions)
        self._ownership.revoke(gone)
        self.consuming -= gone
        self.committed = {p: offset for p, offset in self.committed.items() if p not in gone}
        self._guard.forget(gone)
        self._rebalances.on_lost(gone)
        self._fetched.accept_revoked(gone)

    def _start_restored(self) -> None:
        if fresh := self._ownership.ready - self.consuming:
            partitions = [TopicPartition(self._topic, p) for p in sorted(fresh)]
            committed = self._retry(lambda: committed_offsets(self._kafka, partitions, _ANSWER_S))
            starts = [self._starting_offset(tp) for tp in committed]
            if self._claim_partitions(starts):
                self._check_unmoved(committed)
                for start in starts:
                    self._start_partition(start)
                self.consuming |= fresh

    def _starting_offset(self, committed: TopicPartition) -> TopicPartition:
        """Returns the offset at which to start reading, with the partition's last writer as metadata.

        While this worker owns the partition, that is the offset it has committed itself, together with the rows. If the
        group has another one, a foreign process has written it, and using it would skip events or apply them twice. The
        worker's own offset is then committed again, which the broker refuses if the partition was lost meanwhile.
        """
        known = self.committed.get(committed.partition, committed.offset)
        if known != committed.offset:
            return TopicPartition(self._topic, committed.partition, known)
        if committed.offset >= 0:
            self._check_rows(committed)
            return committed
        return TopicPartition(self._topic, committed.partition, self._first_offset(committed.partition))

    def _check_rows(self, committed: TopicPartition) -> None:
        """Raises Stop if events were applied but their rows are gone, because sessions would begin again unnoticed."""
        partition, offset = committed.partition, committed.offset
        if self._keeps_rows and self._is_empty(partition):
            first, end = self._retry(lambda: self._ask_ends(partition, _ANSWER_S))
            if first < offset <= end:  # beyond the end, the events are gone, too
                raise Stop(ExitCode.MISFIT, ROWS_LOST.format(topic=self._topic, partition=partition, committed=offset))

    def _first_offset(self, partition: int) -> int:
        if not self._is_empty(partition):  # rows and offsets are committed together, so the offset was removed
            raise Stop(ExitCode.MISFIT, OFFSET_LOST.format(topic=self._topic, partition=partition))
        return self._retry(lambda: self._ask_ends(partition, _ANSWER_S))[0]

    def _claim_partitions(self, starts: list[TopicPartition]) -> bool:
        """Commits this worker's id as the last writer of partitions that had another. Returns False if that fails.

        Every transaction commits the id too (see `OrphanedTransactions`), but the worker may die in its first one.
        """
        others = [tp for tp in starts if tp.metadata != self._worker_id]
        ours = [TopicPartition(self._topic, tp.partition, tp.offset, self._worker_id) for tp in others]
        try:
            results = self._kafka.commit(offsets=ours, asynchronous=False) if ours else []
        except KafkaException as error:
            log.info("partitions cannot be claimed yet; trying again", reason=error.args[0].str())
            return False
        return not any(tp.error for tp in results or [])

    def _check_unmoved(self, committed: list[TopicPartition]) -> None:
        """Raises Stop if the group's offset differed from the one this worker committed. It was already set back."""
        for tp in committed:
            known = self.committed.get(tp.partition, tp.offset)
            if known != tp.offset:
                why = OFFSET_MOVED.format(
                    topic=self._topic, partition=tp.partition, group=self._group, actual=tp.offset, committed=known
                )
                raise Stop(ExitCode.FENCED, why)

    def _start_partition(self, start: TopicPartition) -> None:
        self._fetched.fetch_from(start.partition, start.offset)
        self._guard.start(start.partition, start.offset)
        self.committed[start.partition] = start.offset

    def _by_partition(self, messages: list[Message]) -> dict[int, list[Record]]:
        records, errors = by_partition(messages)
        for message in errors:
            self._handle_error(message)
        # A poll that ran a rebalance may also return records of the assignment before it.
        return {p: fetched for p, fetched in records.items() if p in self.consuming}

    def _handle_error(self, message: Message) -> None:
        error = message.error()
        if error is None or error.code() == PARTITION_EOF:
            return
        if error.code() in NO_SUCH_OFFSET:
            self._handle_lost_offset(or_minus_one(message.partition()))
        else:
            stop_unless_transient(message, error)

    def _handle_lost_offset(self, partition: int) -> None:
        """Handles the error that the broker does not have an offset. librdkafka has stopped fetching the partition.

        Raises Stop if the committed offset is really lost, or WrongPosition if the error may concern an older offset.
        """
        self._fetched.distrust([partition])
        if partition in self.consuming:
            committed = self.committed[partition]
            first, end = self._retry(lambda: self._ask_ends(partition, _ANSWER_S))
            lost = LostOffset(self._topic, self._group, partition, committed, first, end)
            if lost.is_removed or (lost.is_truncated and self._guard.refetches(partition)):
                raise Stop(ExitCode.EVENTS_GONE, str(lost))
            detail = f"partition {partition}: the broker did not find offset {committed}"
            raise self._guard.make_error({partition: detail})

    def _ask_ends(self, partition: int, within_s: float) -> tuple[int, int]:
        """Asks the broker for the partition's first offset and the end of its committed records. Blocks."""
        return self._kafka.get_watermark_offsets(TopicPartition(self._topic, partition), timeout=within_s)

    def _retry(self, call: Callable[[], T]) -> T:
        deadline = time.monotonic() + self._patience_s
        while True:
            try:
                return call()
            except KafkaException as error:
                if time.monotonic() > deadline:
                    raise Stop(ExitCode.BROKER, f"offsets cannot be read: {error}") from error
                time.sleep(0.2)


def _log_error(error: KafkaError) -> None:
    if error.code() in {AUTHENTICATION, SSL}:
        _refusals.report(f"Kafka refuses a connection: {error.str()}")
    elif error.fatal() or error.code() == ALL_BROKERS_DOWN:
        log.warning("the consumer lost its brokers", error=error.name(), detail=error.str())
