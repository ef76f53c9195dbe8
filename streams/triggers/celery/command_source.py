"""`CommandSource`: reads the commands of a queue as a member of its executors' consumer group. Not thread-safe.

Commands run as soon as they arrive, even after a gap in the offsets. But the committed offset passes a gap only when
`GapProofs` has proved that it contains no command. A gap that contains one is read again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from triggers.celery.gap_proofs import GapProofs
from triggers.celery.ledger import Checkpoint, Ledger
from triggers.core.commands import RunTask
from triggers.kafka.client_kind import ClientKind
from triggers.kafka.connection import Options
from triggers.kafka.connection_causes import explain_connection_error
from triggers.kafka.error_codes import NO_CONNECTION, NO_SUCH_OFFSET, PARTITION_EOF, is_transient
from triggers.kafka.followed_password import FollowedPassword
from triggers.kafka.rate_limited_log import RateLimitedLog
from triggers.kafka.reading_options import group_options
from triggers.kafka.start_offsets import lost_position_error, read_again_from, starting_positions
from triggers.settings import Settings
from triggers.topology import Queue, Topology

_MAX_MESSAGES: Final = 500
_FETCHED_KB: Final = 32_768

outages = RateLimitedLog(logging.getLogger(__name__))


@dataclass(frozen=True, slots=True, eq=False)
class Delivery:
    """A record of the commands topic that was delivered and is not settled yet."""

    ledger: Ledger
    message: Message = field(repr=False)
    partition: int
    offset: int
    size: int

    @property
    def counted_runs(self) -> int:
        """Number of times that the command was started as a suspect; 0 after it is settled."""
        return self.ledger.pending.get(self.offset, 0)

    @property
    def is_suspect(self) -> bool:
        """True if a vanished Celery worker held the command."""
        return self.ledger.is_suspect(self.offset)

    def count_run(self) -> None:
        """Counts a run of a suspect. Commit before the task starts."""
        self.ledger.count_run(self.offset)


class CommandSource:
    """A consumer and the ledgers of its partitions. All methods are called in one thread, unless they say otherwise."""

    def __init__(
        self, settings: Settings, before_handover: Callable[[], None] = lambda: None, queue: Queue = None
    ) -> None:
        """`before_handover` is called before partitions are revoked, to settle what is finished."""
        names = Topology(settings.namespace)
        self._settings = settings
        self._topic, self._group = names.commands_of(queue), names.executors_of(queue)
        self._before_handover = before_handover
        self._ledgers: dict[int, Ledger] = {}
        self._bytes: dict[int, int] = {}
        self._marked: set[int] = set()
        self._paused: bool | None = None
        self._proofs = GapProofs(settings, self._topic)
        self._password = FollowedPassword(settings, ClientKind.CONSUMER)
        options = _options(settings, self._group)
        self._consumer = Consumer({**options, "on_commit": self._on_commit, "error_cb": self._on_error})

    def join_group(self) -> None:
        """Joins the group. Partitions are assigned and revoked inside `poll`."""
        self._consumer.subscribe(
            [self._topic], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
        )

    @property
    def unfinished_count(self) -> int:
        """Number of commands that are delivered and not settled. Thread-safe, for metrics."""
        return sum(len(ledger.pending) for ledger in tuple(self._ledgers.values()))

    @property
    def unfinished_bytes(self) -> int:
        """Size of these commands in bytes."""
        return sum(self._bytes.values())

    def owns(self, delivery: Delivery) -> bool:
        """Returns whether this consumer still owns the delivery's partition. Thread-safe."""
        return self._ledgers.get(delivery.partition) is delivery.ledger

    def set_paused(self, paused: bool) -> None:
        """Pauses or resumes fetching. Callers should switch rarely, because a switch delays records by about 0.5 s."""
        if paused != self._paused:
            assignment = self._consumer.assignment()
            (self._consumer.pause if paused else self._consumer.resume)(assignment)
            self._paused = paused

    def poll(self, timeout_s: float) -> list[Delivery]:
        """Returns the next unfinished commands as soon as there is one. Rebalance callbacks run in here.

        Raises KafkaException for errors that are not transient, and RecordsRemoved.
        """
        self._password.renew(self._consumer)
        first = self._consumer.poll(timeout_s)
        if first is None:
            return []
        messages = [first, *self._consumer.consume(_MAX_MESSAGES, 0)]
        return [delivery for message in messages if (delivery := self._admit(message))]

    def check_gaps(self) -> bool:
        """Starts proofs of gaps, and reads skipped commands again. Returns False while a proof is running.

        Does not block. Raises RecordsMissing.
        """
        for partition, offset in self._proofs.advance(self._ledgers).items():
            self._read_again(partition, offset)
        return not self._proofs.is_busy

    def settle(self, delivery: Delivery) -> None:
        """Marks a command as done, because its result is on Kafka. Idempotent."""
        if delivery.offset in delivery.ledger.pending and self.owns(delivery):
            self._bytes[delivery.partition] -= delivery.size
        delivery.ledger.settle(delivery.offset)

    def mark_owned(self, deliveries: Collection[Delivery]) -> bool:
        """Commits what must be known before these commands may run. Returns False if it must be tried again.

        The first commands of an assignment mark the partition as held, so that a loss of this worker is noticed. After
        a loss, every batch is committed, so that a task that kills its worker again is recognised.
        """
        unmarked = {delivery.partition for delivery in deliveries if self._needs_mark(delivery)}
        if not unmarked:
            return True
        done = self.commit(wait=True)
        self._marked |= unmarked if done else set()
        return done

    def _needs_mark(self, delivery: Delivery) -> bool:
        is_unmarked = delivery.partition not in self._marked
        return self.owns(delivery) and (is_unmarked or delivery.ledger.after_loss or delivery.is_suspect)

    def commit(self, *, wait: bool = False, handover: bool = False, only: Collection[int] | None = None) -> bool:
        """Commits the ledgers that changed. Returns False if that failed; the next commit includes them."""
        checkpoints = self._checkpoints(handover, self._ledgers if only is None else only)
        if not checkpoints:
            return True
        offsets = [TopicPartition(self._topic, p, at.offset, metadata=at.metadata) for p, at in checkpoints.items()]
        for partition in checkpoints:
            self._ledgers[partition].dirty = False
        try:
            return self._commit_and_check(offsets, wait=wait)
        except KafkaException as error:
            outages.report(f"a commit failed and will be repeated: {error}")
            self._mark_dirty(checkpoints)
            return False

    def close(self) -> None:
        """Commits the ledgers a last time and leaves the group. Blocks."""
        self._consumer.close()
        self._proofs.close()

    def _read_again(self, partition: int, offset: int) -> None:
        """Reads records from this offset on again. The ledger ignores those that were delivered before."""
        if read_again_from(self._consumer, TopicPartition(self._topic, partition, offset)):
            self._paused = None

    def _commit_and_check(self, offsets: list[TopicPartition], *, wait: bool) -> bool:
        if not wait:
            self._consumer.commit(offsets=offsets, asynchronous=True)
            return True
        answer = self._consumer.commit(offsets=offsets, asynchronous=False)
        refused = [tp.partition for tp in answer or () if tp.error]
        self._mark_dirty(refused)
        return not refused

    def _checkpoints(self, handover: bool, partitions: Collection[int]) -> dict[int, Checkpoint]:
        ledgers = {p: self._ledgers[p] for p in partitions if p in self._ledgers}
        taken = {p: ledger.checkpoint(handover=handover) for p, ledger in ledgers.items() if handover or ledger.dirty}
        return {p: checkpoint for p, checkpoint in taken.items() if checkpoint is not None}

    def _admit(self, message: Message) -> Delivery | None:
        partition, offset = message.partition(), message.offset()
        ledger = self._ledgers.get(-1 if partition is None else partition)
        error = message.error()
        if error is not None:
            self._handle(error, message)
            return None
        if ledger is None or partition is None or offset is None:
            return None
        self._proofs.pass_record(partition, offset)
        if not ledger.accept(offset):
            return None
        size = len(message.value() or b"")
        self._bytes[partition] += size
        return Delivery(ledger, message, partition, offset, size)

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        positions = starting_positions(consumer, partitions)
        for position in positions:
            self._ledgers[position.partition] = Ledger(position.offset, position.metadata)
            self._bytes[position.partition] = 0
        consumer.incremental_assign([TopicPartition(tp.topic, tp.partition, tp.offset) for tp in positions])
        self._paused = None

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._before_handover()
        self.commit(wait=True, handover=True, only={tp.partition for tp in partitions})
        self._on_lost(consumer, partitions)
        consumer.incremental_unassign(partitions)

    def _on_lost(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        for tp in partitions:
            self._ledgers.pop(tp.partition, None)
            self._bytes.pop(tp.partition, None)
            self._marked.discard(tp.partition)
            self._proofs.forget(tp.partition)

    def _handle(self, error: KafkaError, message: Message) -> None:
        partition, offset = message.partition(), message.offset()
        if error.code() == PARTITION_EOF:
            ledger = self._ledgers.get(-1 if partition is None else partition)
            if ledger is not None and partition is not None and offset is not None:
                self._proofs.pass_end(partition, offset)
                ledger.skip_to(offset)
        elif error.code() in NO_SUCH_OFFSET and partition is not None and offset is not None:
            raise lost_position_error(self._consumer, TopicPartition(self._topic, partition, offset), self._group)
        elif not is_transient(error):
            raise KafkaException(error)
        else:
            outages.report(f"{self._topic}: {error.str()}")

    def _on_commit(self, error: KafkaError | None, partitions: list[TopicPartition]) -> None:
        """Repeats an asynchronous commit that was refused in a rebalance, even if no ledger changes meanwhile."""
        self._mark_dirty([tp.partition for tp in partitions if error or tp.error])

    def _on_error(self, error: KafkaError) -> None:
        if error.fatal():
            raise KafkaException(error)
        if error.code() in NO_CONNECTION and (cause := explain_connection_error(self._settings, error)) is not None:
            outages.report(str(cause))
        else:
            outages.report(f"Kafka: {error.str()}")

    def _mark_dirty(self, partitions: Collection[int]) -> None:
        for partition in partitions:
            if partition in self._ledgers:
                self._ledgers[partition].dirty = True


def _options(settings: Settings, group: str) -> Options:
    queue: Options = {"queued.max.messages.kbytes": _FETCHED_KB}
    return group_options(settings, group, settings.celery_session_timeout_s, queue)


@dataclass(frozen=True, slots=True, eq=False)
class CommandInHand:
    """A decoded command and its delivery."""

    delivery: Delivery
    command: RunTask
