"""What a gap turns out to be, from what a second reader finds in its place. Pure; `witness` does the reading."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable
from enum import Enum
from typing import NamedTuple

from triggers.kafka.continuity import Gap


class Verdict(Enum):
    """What is known of a gap; the value is its name in metrics and logs."""

    HARMLESS = "harmless"
    """It holds no committed record: markers, aborted records, or records that compaction has removed."""
    REMOVED = "removed"
    """The log begins behind its first offset by now: what was there is gone, and nobody can tell whether it mattered.
    What is left of the gap holds no committed record."""
    SKIPPED = "skipped"
    """It holds a committed record that the consumer did not deliver."""
    UNPROVEN = "unproven"
    """It could not be read in time, or the second reader contradicts the first one otherwise."""


class Finding(NamedTuple):
    """The verdict on one gap."""

    gap: Gap
    verdict: Verdict
    detail: str

    def __str__(self) -> str:
        return f"{self.gap}: {self.detail}"


class PendingGaps:
    """Gaps of any partitions that are judged together, while each partition is read once, in order.

    Gaps of one partition must not overlap, as those of one `ExpectedOffsets` never do.
    """

    def __init__(self, gaps: Iterable[Gap]) -> None:
        self._pending: defaultdict[int, deque[Gap]] = defaultdict(deque)
        for gap in sorted(gaps):
            self._pending[gap.partition].append(gap)
        self._log_starts: dict[int, int] = {}
        self.findings: list[Finding] = []

    def places(self) -> dict[int, int]:
        """Partition -> the first offset that has to be read, of every partition with gaps that are not judged yet."""
        return {
            partition: max(gaps[0].first_missing, self._log_starts.get(partition, 0))
            for partition, gaps in self._pending.items()
            if gaps
        }

    def find_record(self, partition: int, offset: int) -> None:
        """The partition holds a committed record at this offset; it is the first one since what was told before."""
        gaps = self._pending[partition]
        while gaps and gaps[0].first_missing <= offset:
            gap = gaps.popleft()
            if offset < gap.next_seen:
                self._judge(gap, Verdict.SKIPPED, f"there is a committed record at offset {offset}")
            elif offset > gap.next_seen and gap.ends_at_record:
                self._judge(gap, Verdict.UNPROVEN, f"no record is found at offset {gap.next_seen} any more")
            else:
                self._clear(gap)

    def reach(self, partition: int, position: int) -> None:
        """Every committed record of the partition below this position has been told."""
        gaps = self._pending[partition]
        while gaps and (gaps[0].next_seen < position or (not gaps[0].ends_at_record and gaps[0].next_seen == position)):
            gap = gaps.popleft()
            if gap.ends_at_record:
                self._judge(gap, Verdict.UNPROVEN, f"no record is found at offset {gap.next_seen} any more")
            else:
                self._clear(gap)

    def begin_at(self, partition: int, log_start: int) -> None:
        """The partition's log begins at this offset; what was before it has been removed."""
        self._log_starts[partition] = log_start
        gaps = self._pending[partition]
        while gaps and gaps[0].next_seen < log_start:
            self._clear(gaps.popleft())

    def give_up(self, detail: str, partition: int | None = None) -> None:
        """Nothing more will be read, of this partition or of any."""
        for gaps in self._pending.values() if partition is None else [self._pending[partition]]:
            while gaps:
                self._judge(gaps.popleft(), Verdict.UNPROVEN, detail)

    def _clear(self, gap: Gap) -> None:
        log_start = self._log_starts.get(gap.partition, 0)
        if log_start > gap.first_missing:
            self._judge(gap, Verdict.REMOVED, f"the partition's log begins at offset {log_start}")
        else:
            self._judge(gap, Verdict.HARMLESS, "there is no committed record")

    def _judge(self, gap: Gap, verdict: Verdict, detail: str) -> None:
        self.findings.append(Finding(gap, verdict, detail))
