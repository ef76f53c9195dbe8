"""`ExpectedOffsets`: tracks which offset must come next in each partition, so a reader notices skipped records.

A consumer promises to deliver every committed record from the offset at which it was assigned. This module checks
that: a reader passes on the offsets that it received and gets the gaps between them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Gap(NamedTuple):
    """Offsets of a partition at which no record was delivered, although later records were.

    Transaction markers, aborted records and compaction also leave gaps. `GapReader` finds out which gaps are harmless.
    """

    partition: int
    first_missing: int
    next_seen: int
    """The first offset after the gap."""
    ends_at_record: bool = True
    """True if a record was delivered at `next_seen`. If False, the consumer only reported this position."""

    def __str__(self) -> str:
        last = self.next_seen - 1
        offsets = f"offset {last}" if last == self.first_missing else f"offsets {self.first_missing} to {last}"
        return f"partition {self.partition}, {offsets}"


class OutOfOrder(Exception):
    """An offset arrived that is lower than the expected one: it was delivered again, or too late."""


class ExpectedOffsets:
    """The expected next offset of each partition that a reader owns.

    A reader that does not accept a gap must not continue after it. It starts the partition again at the first missing
    offset, or gives up.
    """

    def __init__(self) -> None:
        self._next: dict[int, int] = {}

    def start(self, partition: int, offset: int) -> None:
        """Expects the partition from this offset on. Called after an assignment and after a rewind."""
        self._next[partition] = offset

    def forget(self, partitions: Iterable[int]) -> None:
        """Removes partitions that are no longer read."""
        for partition in partitions:
            self._next.pop(partition, None)

    def next_of(self, partition: int) -> int:
        """Returns the offset that must come next. Raises KeyError for a partition that was not started."""
        return self._next[partition]

    def advance(self, partition: int, offsets: list[int]) -> list[Gap]:
        """Accepts records at these offsets, in this order. Returns the gaps before and between them, usually none.

        Raises OutOfOrder, and KeyError for a partition that was not started. The partition has not advanced then.
        """
        if not offsets:
            return []
        due = self._next[partition]
        gaps = [] if _are_contiguous(due, offsets) else find_gaps(partition, due, offsets)
        self._next[partition] = offsets[-1] + 1
        return gaps

    def advance_to(self, partition: int, position: int) -> list[Gap]:
        """Accepts a position that the consumer reported without a record. Returns the gap before it, if there is one.

        Raises OutOfOrder, and KeyError for a partition that was not started. The partition has not advanced then.
        """
        due = self._next[partition]
        if position < due:
            raise OutOfOrder(f"partition {partition}: the position is {position}, but {due} must come next")
        self._next[partition] = position
        return [Gap(partition, due, position, ends_at_record=False)] if position > due else []


def _are_contiguous(due: int, offsets: list[int]) -> bool:
    """Returns whether the offsets are `due` and those after it. This is all that contiguous records cost."""
    for offset in offsets:
        if offset != due:
            return False
        due += 1
    return True


def find_gaps(partition: int, due: int, offsets: Iterable[int]) -> list[Gap]:
    """Returns the gaps between `due` and the last offset. Raises OutOfOrder if the offsets do not ascend from `due`."""
    gaps: list[Gap] = []
    for offset in offsets:
        if offset < due:
            raise OutOfOrder(f"partition {partition}: offset {offset} came, but {due} or a later one must come next")
        if offset > due:
            gaps.append(Gap(partition, due, offset))
        due = offset + 1
    return gaps
