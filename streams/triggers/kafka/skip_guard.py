"""`SkipGuard`: passes on the records of a topic only if it is proved that no earlier record is missing."""

from __future__ import annotations

import logging
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from confluent_kafka import Message

from triggers.errors import GapUnproven, RecordsRemoved, RecordsSkipped
from triggers.kafka.connection import Options
from triggers.kafka.expected_offsets import ExpectedOffsets, Gap, OutOfOrder
from triggers.kafka.gap_reader import GapReader
from triggers.kafka.pending_gaps import ExaminedGap, GapState

_MAX_REFUTATIONS: Final = 5
"""Maximum number of times in a row that a partition is read again because records were skipped."""
_MAX_UNPROVEN: Final = 30
"""Maximum number of times in a row that a partition is read again because a gap could not be proved."""
_PAUSE_S: Final = 1.0
"""Pause before a gap that could not be proved is read again, because the brokers may be busy."""
_PROOF_S: Final = 10.0

log = logging.getLogger(__name__)


class Checked(NamedTuple):
    """The records that may be handled, and the offsets that must be read again."""

    messages: list[Message]
    """Records in their order. No earlier record is missing."""
    read_again: dict[int, int]
    """Offset at which to assign a partition again, by partition. Its other fetched records must be discarded."""


class SkipGuard:
    """Checks the offsets that a reader receives, and proves gaps before it passes on the records after them.

    Contiguous offsets cost one comparison. The gaps of all messages of a call are proved together. Not thread-safe.
    """

    def __init__(self, connection: Callable[[], Options], topic: str, *, undecided: bool = False) -> None:
        """`connection` returns the options of the second reader: how to connect now, and a `group.id`.

        `undecided` is True if the first reader reads undecided records, so that the second one must find them, too.
        """
        self._expected = ExpectedOffsets()
        self._gap_reader = GapReader(connection, topic, undecided=undecided)
        self._topic = topic
        self._refuted: Counter[int] = Counter()
        self._unproven: Counter[int] = Counter()

    def start(self, partition: int, offset: int) -> None:
        """Expects the partition from this offset on. Called after an assignment and after a rewind."""
        self._expected.start(partition, offset)

    def forget(self, partitions: Iterable[int]) -> None:
        """Removes partitions that are no longer read."""
        self._expected.forget(partitions)

    def next_of(self, partition: int) -> int:
        """Returns the offset that must come next. Raises KeyError for a partition that was not started."""
        return self._expected.next_of(partition)

    def check(self, messages: Sequence[Message]) -> Checked:
        """Checks records of started partitions, in the order in which the consumer delivered them.

        Blocks while gaps are proved. Raises RecordsRemoved if retention removed records, RecordsSkipped if reading
        again does not help, and GapUnproven if a gap stays unproven.
        """
        before: dict[int, int] = {}
        gaps: list[Gap] = []
        read_again: dict[int, int] = {}
        for partition, offsets in _by_partition(messages).items():
            before[partition] = self._expected.next_of(partition)
            try:
                gaps += self._expected.advance(partition, offsets)
            except OutOfOrder as error:
                log.warning("%s is read again: %s", self._topic, error)
                read_again[partition] = before[partition]
                self._refuted.update([partition])
        read_again |= self._refuted_offsets(gaps)
        self._start_again(read_again)
        for partition in before.keys() - read_again.keys():
            self._refuted.pop(partition, None)
            self._unproven.pop(partition, None)
        if not read_again:
            return Checked(list(messages), read_again)
        return Checked([message for message in messages if _is_before(message, read_again)], read_again)

    def reach(self, partition: int, position: int) -> int | None:
        """Checks a position that the consumer reported without a record.

        Returns the offset to read again from if the gap before it is not harmless, or None. Blocks and raises like
        `check`.
        """
        gaps = self._expected.advance_to(partition, position)
        read_again = self._refuted_offsets(gaps)
        self._start_again(read_again)
        return read_again.get(partition)

    def close(self) -> None:
        """Closes the connections of the second reader."""
        self._gap_reader.close()

    def _refuted_offsets(self, gaps: list[Gap]) -> dict[int, int]:
        """Returns the first missing offset that is not proved to be harmless, by partition."""
        examined = self._gap_reader.prove(gaps, _PROOF_S) if gaps else []
        for each in examined:
            if each.state is GapState.REMOVED:
                raise RecordsRemoved(describe_removed(self._topic, each))
        harmful = [each for each in examined if each.state is not GapState.HARMLESS]
        harmful.sort(key=lambda each: each.gap, reverse=True)
        skipped = {each.gap.partition for each in harmful if each.state is GapState.SKIPPED}
        unproven = {each.gap.partition for each in harmful} - skipped
        for each in harmful:
            log.error("%s is read again: %s, %s", self._topic, each.state.value, each)
        self._refuted.update(skipped)
        self._unproven.update(unproven)
        for finding in harmful:
            if self._unproven[finding.gap.partition] > _MAX_UNPROVEN:
                raise GapUnproven(describe_unproven(self._topic, finding))
        if unproven:
            time.sleep(_PAUSE_S)
        return {each.gap.partition: each.gap.first_missing for each in harmful}

    def _start_again(self, offsets: dict[int, int]) -> None:
        for partition, offset in offsets.items():
            self._expected.start(partition, offset)
            if self._refuted[partition] > _MAX_REFUTATIONS:
                raise RecordsSkipped(describe_skipped(self._topic, partition, offset))


def describe_removed(topic: str, examined: ExaminedGap) -> str:
    """Returns the message of the error for records that retention removed."""
    return f"{topic}, {examined}: records were removed before they were read; the topic's retention is too short"


def describe_unproven(topic: str, examined: ExaminedGap) -> str:
    """Returns the message of the error for a gap that stays unproven."""
    return (
        f"{topic}, {examined}: it could not be found out for minutes whether the Kafka client has skipped records here."
        " The process ends before it commits an offset past them; its successor reads from the committed offset."
        " If that ends in the same way, check that this host may read the topic, and the brokers' logs"
    )


def describe_skipped(topic: str, partition: int, offset: int) -> str:
    """Returns the message of the error for records that the client skips repeatedly."""
    return (
        f"the Kafka client skips records of {topic}/{partition} from offset {offset} on, even when they are read again:"
        " restart the process, and report this with the version of confluent-kafka"
    )


def _by_partition(messages: Sequence[Message]) -> dict[int, list[int]]:
    """Returns the offsets of each partition. The loops over fields run in C, because whole topics pass through here."""
    offsets: defaultdict[int, list[int]] = defaultdict(list)
    for partition, offset in zip(map(Message.partition, messages), map(Message.offset, messages), strict=True):
        offsets[partition or 0].append(offset or 0)
    return offsets


def _is_before(message: Message, offsets: dict[int, int]) -> bool:
    offset = offsets.get(message.partition() or 0)
    return offset is None or (message.offset() or 0) < offset
