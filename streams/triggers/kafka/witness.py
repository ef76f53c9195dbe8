"""A second reader that looks at what a consumer did not deliver, and tells whether that is harmless.

It must not be able to skip in the way that the first one did. So it is a consumer of its own, on connections of its
own; it is only ever assigned at absolute offsets, never at a logical one and never by a seek, and it resets no offset.
Then librdkafka has nothing to look up before it fetches, and no late answer can move it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from triggers.kafka.bounded_call import CallHung, call_within
from triggers.kafka.continuity import Gap
from triggers.kafka.error_codes import NO_SUCH_OFFSET, PARTITION_EOF, is_passing
from triggers.kafka.reading_options import RELIABLE
from triggers.kafka.verdicts import Finding, PendingGaps, Verdict

__all__ = ["Finding", "Verdict", "Witness"]

Options = Mapping[str, str | int | float | bool]

_OPTIONS: Final[Options] = {
    **RELIABLE,
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "enable.partition.eof": True,
    "allow.auto.create.topics": False,
    "max.partition.fetch.bytes": 262_144,
    "queued.min.messages": 1_000,
    "queued.max.messages.kbytes": 1_024,
    "fetch.wait.max.ms": 10,
    "fetch.queue.backoff.ms": 5,
}
_AT_ONCE: Final = 500
_LOOK_EVERY_S: Final = 0.1
_OVERTIME_S: Final = 2.0
"""A call that has not returned so long after its own deadline never will."""


class Witness:
    """Proves gaps of one topic harmless, or refutes that. Use it from one thread at a time.

    Its consumer is made when it is first needed and kept: a proof then takes one fetch, some milliseconds.
    """

    def __init__(self, options: Options, topic: str) -> None:
        """`options`: how to connect, and a `group.id`, which is neither joined nor committed to."""
        self._options = {**options, **_OPTIONS}
        self._topic = topic
        self._consumer: Consumer | None = None

    def prove(self, gaps: Sequence[Gap], within_s: float) -> list[Finding]:
        """A finding for each gap, in any order. Blocks for `within_s` at most, and some seconds if librdkafka hangs.

        Gaps of one partition must not overlap; the range from the first to the last of them is read once. A gap that
        is still undecided in the end is unproven; it can be given again.
        """
        pending = PendingGaps(gaps)
        deadline = time.monotonic() + within_s
        try:
            call_within(within_s + _OVERTIME_S, lambda: self._read(pending, deadline))
        except CallHung:
            self._consumer = None  # left behind: closing it would hang, too
            return _unproven(gaps, "a call of the second reader hangs")
        except KafkaException as error:
            self.close()
            pending.give_up(f"it cannot be read: {error.args[0].str()}")
        pending.give_up(f"it could not be read within {within_s:.0f} s")
        return pending.findings

    def ends(self, partition: int, within_s: float) -> tuple[int, int]:
        """The partition's first offset, and the end of its committed records, as the broker says. Blocks.

        Raises KafkaException.
        """
        consumer = self._consumer = self._consumer or Consumer(self._options)
        return consumer.get_watermark_offsets(TopicPartition(self._topic, partition), timeout=within_s)

    def close(self) -> None:
        """Give up the connections. The next proof makes new ones."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            try:
                call_within(_OVERTIME_S, consumer.close)
            except CallHung:
                return

    def _read(self, pending: PendingGaps, deadline: float) -> None:
        consumer = self._consumer = self._consumer or Consumer(self._options)
        self._assign(consumer, pending)
        while pending.places() and (left_s := deadline - time.monotonic()) > 0:
            lost = self._take(pending, _consume(consumer, min(_LOOK_EVERY_S, left_s)))
            self._take_positions(pending, consumer)
            if lost:
                self._find_log(pending, consumer, lost, left_s)
                self._assign(consumer, pending)
        consumer.unassign()

    def _assign(self, consumer: Consumer, pending: PendingGaps) -> None:
        consumer.assign(
            [TopicPartition(self._topic, partition, place) for partition, place in pending.places().items()]
        )

    def _take(self, pending: PendingGaps, messages: Iterable[Message]) -> set[int]:
        """Tell what was found; the partitions whose log does not have the offset that they were to be read from."""
        lost: set[int] = set()
        for message in messages:
            error, partition, offset = message.error(), message.partition(), message.offset()
            if partition is None or offset is None:
                continue  # an error of no partition: it either passes or outlasts the deadline
            if error is None:
                pending.find_record(partition, offset)
            elif error.code() == PARTITION_EOF:
                pending.reach(partition, offset)
            elif error.code() in NO_SUCH_OFFSET:
                lost.add(partition)
            elif not is_passing(error):  # librdkafka may go on behind what it could not read
                pending.give_up(f"it cannot be read: {error.str()}", partition)
        return lost

    def _take_positions(self, pending: PendingGaps, consumer: Consumer) -> None:
        """Markers move the position without a record, and there may be no end of the partition for a long time."""
        waiting = [TopicPartition(self._topic, partition) for partition in pending.places()]
        for place in consumer.position(waiting) if waiting else ():
            pending.reach(place.partition, place.offset)  # a logical one, which is negative, if nothing has come yet

    def _find_log(self, pending: PendingGaps, consumer: Consumer, partitions: Iterable[int], within_s: float) -> None:
        for partition in partitions:
            place = pending.places().get(partition)
            if place is None:
                continue
            where = TopicPartition(self._topic, partition)
            first, end = consumer.get_watermark_offsets(where, timeout=within_s)
            if first > place:
                pending.begin_at(partition, first)
            elif end < place:
                pending.give_up(f"the partition's log ends at offset {end}", partition)


def _consume(consumer: Consumer, within_s: float) -> list[Message]:
    """What has come, as soon as there is something: `consume` alone would wait for all that it may return."""
    first = consumer.poll(within_s)
    return [] if first is None else [first, *consumer.consume(_AT_ONCE, 0)]


def _unproven(gaps: Iterable[Gap], detail: str) -> list[Finding]:
    return [Finding(gap, Verdict.UNPROVEN, detail) for gap in gaps]
