"""`GapReader`: a second reader, which proves whether the offsets that a consumer did not deliver are harmless.

It must not be able to skip records in the way that the first reader did. So it has its own consumer with its own
connections. It is assigned only at absolute offsets, never seeks, and never resets an offset. So librdkafka looks up no
offset before it fetches, and no late answer can move the position.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from triggers.kafka.bounded_call import CallHung, call_within
from triggers.kafka.connection import Options
from triggers.kafka.error_codes import NO_SUCH_OFFSET, PARTITION_EOF, is_transient
from triggers.kafka.expected_offsets import Gap
from triggers.kafka.pending_gaps import ExaminedGap, GapState, PendingGaps
from triggers.kafka.reading_options import READ_ONLY

_OPTIONS: Final[Options] = READ_ONLY | {
    "max.partition.fetch.bytes": 262_144,
    "queued.min.messages": 1_000,
    "queued.max.messages.kbytes": 1_024,
    "fetch.wait.max.ms": 10,
    "fetch.queue.backoff.ms": 5,
}
_UNDECIDED: Final[Options] = {"isolation.level": "read_uncommitted"}
_MAX_MESSAGES: Final = 500
_POLL_S: Final = 0.1
_OVERTIME_S: Final = 2.0
"""A call that has not returned this long after its own deadline counts as hanging."""


class GapReader:
    """Proves or refutes that gaps of one topic are harmless. Not thread-safe.

    Its consumer is created on first use and kept, so later proofs take one fetch, which is some milliseconds.
    """

    def __init__(self, connection: Callable[[], Options], topic: str, *, undecided: bool = False) -> None:
        """`connection` returns how to connect now, and a `group.id`. It neither joins this group nor commits offsets.

        With `undecided` it also finds records of open and aborted transactions, if the first reader reads them, too.
        """
        self._connection = connection
        self._options = {**_OPTIONS, **(_UNDECIDED if undecided else {})}
        self._topic = topic
        self._consumer: Consumer | None = None

    def prove(self, gaps: Sequence[Gap], within_s: float) -> list[ExaminedGap]:
        """Returns each gap with its state, in any order. Blocks for `within_s` at most, 2 s longer if librdkafka hangs.

        Gaps of the same partition must not overlap; the range from the first to the last of them is read once. A gap
        that could not be judged in time is unproven, and can be passed again.
        """
        pending = PendingGaps(gaps)
        deadline = time.monotonic() + within_s
        try:
            call_within(within_s + _OVERTIME_S, lambda: self._read(pending, deadline))
        except CallHung:
            self._consumer = None  # closing it would hang as well
            return _unproven(gaps, "a call of the second reader hangs")
        except KafkaException as error:
            self.close()
            pending.give_up(f"it cannot be read: {error.args[0].str()}")
        if pending.positions():  # the next proof reconnects, perhaps with another password
            self.close()
            pending.give_up(f"it could not be read within {within_s:.0f} s")
        return pending.examined

    def ends(self, partition: int, within_s: float) -> tuple[int, int]:
        """Returns the partition's first offset and the end of its committed records. Blocks. Raises KafkaException."""
        consumer = self._consumer = self._consumer or self._connect()
        return consumer.get_watermark_offsets(TopicPartition(self._topic, partition), timeout=within_s)

    def close(self) -> None:
        """Closes the connections. The next proof creates new ones."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            try:
                call_within(_OVERTIME_S, consumer.close)
            except CallHung:
                return

    def _connect(self) -> Consumer:
        return Consumer({**self._connection(), **self._options})

    def _read(self, pending: PendingGaps, deadline: float) -> None:
        consumer = self._consumer = self._consumer or self._connect()
        self._assign(consumer, pending)
        while pending.positions() and (left_s := deadline - time.monotonic()) > 0:
            lost = self._take(pending, _consume(consumer, min(_POLL_S, left_s)))
            self._take_positions(pending, consumer)
            if lost:
                self._find_log(pending, consumer, lost, left_s)
                self._assign(consumer, pending)
        consumer.unassign()

    def _assign(self, consumer: Consumer, pending: PendingGaps) -> None:
        consumer.assign(
            [TopicPartition(self._topic, partition, offset) for partition, offset in pending.positions().items()]
        )

    def _take(self, pending: PendingGaps, messages: Iterable[Message]) -> set[int]:
        """Passes messages on to `pending`. Returns the partitions whose log does not have the offset to read from."""
        lost: set[int] = set()
        for message in messages:
            error, partition, offset = message.error(), message.partition(), message.offset()
            if partition is None or offset is None:
                continue  # an error without a partition is transient, or lasts until the deadline
            if error is None:
                pending.find_record(partition, offset)
            elif error.code() == PARTITION_EOF:
                pending.reach(partition, offset)
            elif error.code() in NO_SUCH_OFFSET:
                lost.add(partition)
            elif not is_transient(error):  # librdkafka may continue after records that it could not read
                pending.give_up(f"it cannot be read: {error.str()}", partition)
        return lost

    def _take_positions(self, pending: PendingGaps, consumer: Consumer) -> None:
        """Passes positions on, because markers move them without a record, and the partition may end much later."""
        waiting = [TopicPartition(self._topic, partition) for partition in pending.positions()]
        for position in consumer.position(waiting) if waiting else ():
            pending.reach(position.partition, position.offset)  # the offset is negative if nothing has arrived yet

    def _find_log(self, pending: PendingGaps, consumer: Consumer, partitions: Iterable[int], within_s: float) -> None:
        for partition in partitions:
            wanted = pending.positions().get(partition)
            if wanted is None:
                continue
            first, end = consumer.get_watermark_offsets(TopicPartition(self._topic, partition), timeout=within_s)
            if first > wanted:
                pending.begin_at(partition, first)
            elif end < wanted:
                pending.give_up(f"the partition's log ends at offset {end}", partition)


def _consume(consumer: Consumer, within_s: float) -> list[Message]:
    """Returns the messages that have arrived, as soon as there is one. `consume` alone would wait for all of them."""
    first = consumer.poll(within_s)
    return [] if first is None else [first, *consumer.consume(_MAX_MESSAGES, 0)]


def _unproven(gaps: Iterable[Gap], detail: str) -> list[ExaminedGap]:
    return [ExaminedGap(gap, GapState.UNPROVEN, detail) for gap in gaps]
