"""`GapProofs`: proves in the background that the gaps in the ledgers contain no commands."""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from triggers.celery.ledger import Ledger
from triggers.errors import GapUnproven, RecordsRemoved, RecordsSkipped
from triggers.kafka.background_gap_reader import BackgroundGapReader
from triggers.kafka.expected_offsets import Gap
from triggers.kafka.pending_gaps import ExaminedGap, GapState
from triggers.kafka.reading_options import gap_reader_options
from triggers.kafka.skip_guard import describe_removed, describe_skipped, describe_unproven
from triggers.settings import Settings

_MAX_REFUTATIONS: Final = 5
"""Maximum number of times in a row that a partition is read again."""

log = logging.getLogger(__name__)
_PATIENCE_S: Final = 300.0
"""A partition whose gap stays unproven for longer ends the reader, if the broker has delivered records of it since."""
_PAUSE_S: Final = 5.0
"""Pause before a partition with an unproven gap is examined again."""


class GapProofs:
    """Proves the gaps of all ledgers together, one proof after the other. Not thread-safe."""

    def __init__(self, settings: Settings, topic: str) -> None:
        self._gap_reader = BackgroundGapReader(lambda: gap_reader_options(settings), topic)
        self._topic = topic
        self._asked: dict[int, Ledger] = {}
        """The ledgers at the start of the last proof, by partition."""
        self._reading_again: dict[int, int] = {}
        """Partition that is read again -> offset to reach before its gaps are examined."""
        self._refuted: defaultdict[int, int] = defaultdict(int)
        """Number of times in a row that a partition is read again."""
        self._unproven = UnprovenGaps()

    @property
    def is_busy(self) -> bool:
        """True while a proof is running."""
        return self._gap_reader.is_busy

    def advance(self, ledgers: Mapping[int, Ledger]) -> dict[int, int]:
        """Closes the gaps that were proved, or starts a proof. Returns the offsets to read again from, by partition.

        After a proof, the next one starts at the next call, so that the caller can commit in between. Raises
        RecordsRemoved if retention removed commands, RecordsSkipped if reading again does not help, and GapUnproven if
        a gap stays unproven although the broker answers.
        """
        was_busy = self.is_busy
        examined = [each for each in self._gap_reader.take() if self._is_current(each, ledgers)]
        for each in examined:
            self._judge(each, ledgers[each.gap.partition])
        self._record_unproven(examined)
        refuted = [each.gap for each in examined if each.state is GapState.SKIPPED]
        offsets = {gap.partition: gap.first_missing for gap in sorted(refuted, reverse=True)}
        for partition, offset in offsets.items():
            self._count_refutation(partition, offset)
            self._reading_again[partition] = max(gap.next_seen for gap in refuted if gap.partition == partition)
        for partition in {each.gap.partition for each in examined} - offsets.keys():
            self._refuted.pop(partition, None)
        if not was_busy:
            self._begin(ledgers)
        return offsets

    def pass_record(self, partition: int, offset: int) -> None:
        """Accepts the offset of a record. Earlier skipped commands of its partition have been read again by now."""
        self.pass_end(partition, offset + 1)

    def pass_end(self, partition: int, position: int) -> None:
        """Accepts the position that the consumer has reached."""
        self._unproven.record_delivery(partition)
        if position >= self._reading_again.get(partition, position + 1):
            del self._reading_again[partition]

    def forget(self, partition: int) -> None:
        """Removes a partition that was revoked."""
        self._reading_again.pop(partition, None)
        self._refuted.pop(partition, None)
        self._unproven.forget(partition)

    def close(self) -> None:
        """Closes the connections of the second reader."""
        self._gap_reader.close()

    def _is_current(self, examined: ExaminedGap, ledgers: Mapping[int, Ledger]) -> bool:
        partition = examined.gap.partition
        return partition in ledgers and ledgers[partition] is self._asked.get(partition)

    def _judge(self, examined: ExaminedGap, ledger: Ledger) -> None:
        gap = examined.gap
        if examined.state is GapState.HARMLESS:
            ledger.close_gap((gap.first_missing, gap.next_seen))
        elif examined.state is GapState.REMOVED:
            raise RecordsRemoved(describe_removed(self._topic, examined))
        elif examined.state is GapState.SKIPPED:
            log.error("the Kafka client skipped commands, which are read again: %s", examined)
        else:
            log.warning("a gap between commands could not be proved yet, and is proved again: %s", examined)

    def _record_unproven(self, examined: Collection[ExaminedGap]) -> None:
        """Counts the time for which partitions have unproven gaps. Raises GapUnproven if it is too long."""
        now = time.monotonic()
        unproven = {each.gap.partition: each for each in examined if each.state is GapState.UNPROVEN}
        for partition in {each.gap.partition for each in examined} - unproven.keys():
            self._unproven.forget(partition)
        for partition, each in unproven.items():
            self._unproven.record_unproven(partition, now)
            if self._unproven.is_hopeless(partition, now):
                raise GapUnproven(describe_unproven(self._topic, each))

    def _count_refutation(self, partition: int, offset: int) -> None:
        self._refuted[partition] += 1
        if self._refuted[partition] > _MAX_REFUTATIONS:
            raise RecordsSkipped(describe_skipped(self._topic, partition, offset))

    def _begin(self, ledgers: Mapping[int, Ledger]) -> None:
        now = time.monotonic()
        gaps = [
            Gap(partition, *gap, ledger.ends_at_command(gap))
            for partition, ledger in ledgers.items()
            if partition not in self._reading_again and self._unproven.may_examine(partition, now)
            for gap in ledger.gaps
        ]
        if gaps:
            self._asked = dict(ledgers)
            self._gap_reader.begin(gaps)


@dataclass(slots=True)
class _Unproven:
    first_at: float
    """When a gap of the partition was unproven for the first time in a row."""
    last_at: float
    """When a gap of the partition was unproven for the last time."""
    has_delivered: bool = False
    """True if the broker has delivered a record of the partition, or its end, since then."""


class UnprovenGaps:
    """Decides when partitions with unproven gaps are examined again, and when that would be pointless. Callers pass the
    time.

    While the broker does not answer, nothing can be proved, and waiting is right. A broker that delivers records of a
    partition answers, so a gap of it that stays unproven will never be proved by this process.
    """

    def __init__(self) -> None:
        self._unproven: dict[int, _Unproven] = {}

    def record_unproven(self, partition: int, now: float) -> None:
        """Records that a gap of the partition could not be proved."""
        self._unproven.setdefault(partition, _Unproven(now, now)).last_at = now

    def record_delivery(self, partition: int) -> None:
        """Records that the broker has delivered a record of the partition, or its end."""
        if unproven := self._unproven.get(partition):
            unproven.has_delivered = True

    def forget(self, partition: int) -> None:
        """Forgets a partition: its gaps are proved, or it was revoked."""
        self._unproven.pop(partition, None)

    def may_examine(self, partition: int, now: float) -> bool:
        """Returns whether the partition's gaps may be examined now."""
        unproven = self._unproven.get(partition)
        return unproven is None or now - unproven.last_at >= _PAUSE_S

    def is_hopeless(self, partition: int, now: float) -> bool:
        """Returns whether a gap of the partition has been unproven for too long although the broker answers."""
        unproven = self._unproven.get(partition)
        return unproven is not None and unproven.has_delivered and now - unproven.first_at > _PATIENCE_S
