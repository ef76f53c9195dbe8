"""`PendingGaps`: judges gaps by what a second reader finds at their offsets. Pure; `GapReader` reads."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable
from enum import Enum
from typing import NamedTuple

from triggers.kafka.expected_offsets import Gap


class GapState(Enum):
    """The result of examining a gap. The value is the name in metrics and logs."""

    HARMLESS = "harmless"
    """The gap contains no committed record, only markers, aborted records, or records that compaction removed."""
    REMOVED = "removed"
    """The log now begins after the first offset of the gap, so it is unknown whether a committed record was there. The
    rest of the gap contains no committed record."""
    SKIPPED = "skipped"
    """The gap contains a committed record that the consumer did not deliver."""
    UNPROVEN = "unproven"
    """The gap could not be read in time, or the second reader does not find the record after it."""


class ExaminedGap(NamedTuple):
    """A gap, its state and the reason for it."""

    gap: Gap
    state: GapState
    detail: str

    def __str__(self) -> str:
        return f"{self.gap}: {self.detail}"


class PendingGaps:
    """The gaps that are judged together. Each partition is read once, in order.

    Gaps of the same partition must not overlap; those of one `ExpectedOffsets` never do.
    """

    def __init__(self, gaps: Iterable[Gap]) -> None:
        self._pending: defaultdict[int, deque[Gap]] = defaultdict(deque)
        for gap in sorted(gaps):
            self._pending[gap.partition].append(gap)
        self._log_starts: dict[int, int] = {}
        self.examined: list[ExaminedGap] = []

    def positions(self) -> dict[int, int]:
        """Returns the next offset to read, by partition. Partitions without pending gaps are omitted."""
        return {
            partition: max(gaps[0].first_missing, self._log_starts.get(partition, 0))
            for partition, gaps in self._pending.items()
            if gaps
        }

    def find_record(self, partition: int, offset: int) -> None:
        """Accepts the next committed record of a partition. Records and positions must be passed in order."""
        gaps = self._pending[partition]
        while gaps and gaps[0].first_missing <= offset:
            gap = gaps.popleft()
            if offset < gap.next_seen:
                self._conclude(gap, GapState.SKIPPED, f"there is a committed record at offset {offset}")
            elif offset > gap.next_seen and gap.ends_at_record:
                self._conclude(gap, GapState.UNPROVEN, f"no record is found at offset {gap.next_seen} any more")
            else:
                self._clear(gap)

    def reach(self, partition: int, position: int) -> None:
        """Accepts the position that the second reader has reached, after `find_record` for all records below it."""
        gaps = self._pending[partition]
        while gaps and (gaps[0].next_seen < position or (not gaps[0].ends_at_record and gaps[0].next_seen == position)):
            gap = gaps.popleft()
            if gap.ends_at_record:
                self._conclude(gap, GapState.UNPROVEN, f"no record is found at offset {gap.next_seen} any more")
            else:
                self._clear(gap)

    def begin_at(self, partition: int, log_start: int) -> None:
        """Accepts the first offset of the partition's log. Earlier records have been removed."""
        self._log_starts[partition] = log_start
        gaps = self._pending[partition]
        while gaps and gaps[0].next_seen < log_start:
            self._clear(gaps.popleft())

    def give_up(self, detail: str, partition: int | None = None) -> None:
        """Judges the pending gaps of one partition or of all as unproven."""
        for gaps in self._pending.values() if partition is None else [self._pending[partition]]:
            while gaps:
                self._conclude(gaps.popleft(), GapState.UNPROVEN, detail)

    def _clear(self, gap: Gap) -> None:
        log_start = self._log_starts.get(gap.partition, 0)
        if log_start > gap.first_missing:
            self._conclude(gap, GapState.REMOVED, f"the partition's log begins at offset {log_start}")
        else:
            self._conclude(gap, GapState.HARMLESS, "there is no committed record")

    def _conclude(self, gap: Gap, state: GapState, detail: str) -> None:
        self.examined.append(ExaminedGap(gap, state, detail))
