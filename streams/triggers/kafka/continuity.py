"""Which offset must come next in each partition, so that a reader notices when records were left out.

A consumer promises to deliver every committed record from where it was assigned. This module does not take its word
for it: whoever reads a partition tells `ExpectedOffsets` which offsets came, and is told what lies between them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Gap(NamedTuple):
    """Offsets of a partition at which no record was delivered, although records beyond them were.

    Markers of transactions, aborted records and compacted ones leave gaps, too; `witness` tells which are harmless.
    """

    partition: int
    first_missing: int
    next_seen: int
    """The first offset behind the gap."""
    ends_at_record: bool = True
    """Whether a record was delivered at `next_seen`; otherwise it is only where the consumer says it has come to."""

    def __str__(self) -> str:
        last = self.next_seen - 1
        offsets = f"offset {last}" if last == self.first_missing else f"offsets {self.first_missing} to {last}"
        return f"partition {self.partition}, {offsets}"


class OutOfOrder(Exception):
    """An offset came that is below the one that must come next: it was delivered before, or it came too late."""


class ExpectedOffsets:
    """The next offset of every partition that one reader owns at present.

    `start` begins an ownership, and begins it anew after a rewind. A reader that does not accept a gap must not read
    on: it starts the partition again at the last offset that it is sure of, or gives up.
    """

    def __init__(self) -> None:
        self._next: dict[int, int] = {}

    def start(self, partition: int, offset: int) -> None:
        """The partition is read from this offset on, whatever was read of it before."""
        self._next[partition] = offset

    def forget(self, partitions: Iterable[int]) -> None:
        """These partitions are no longer read."""
        for partition in partitions:
            self._next.pop(partition, None)

    def next_of(self, partition: int) -> int:
        """The offset that must come next. Raises KeyError for a partition that was not started."""
        return self._next[partition]

    def advance(self, partition: int, offsets: list[int]) -> list[Gap]:
        """Records came at these offsets, in this order: the gaps before and between them, usually none.

        Raises OutOfOrder, and KeyError for a partition that was not started; nothing has advanced then.
        """
        if not offsets:
            return []
        due = self._next[partition]
        after = due + len(offsets)
        # The comparison runs in C: this is all that contiguous records cost.
        gaps = [] if offsets == list(range(due, after)) else find_gaps(partition, due, offsets)
        self._next[partition] = offsets[-1] + 1
        return gaps

    def advance_to(self, partition: int, position: int) -> list[Gap]:
        """The consumer says that it has come to this position, without a record: the gap that it has passed, if any.

        Raises OutOfOrder, and KeyError for a partition that was not started; nothing has advanced then.
        """
        due = self._next[partition]
        if position < due:
            raise OutOfOrder(f"partition {partition}: the position is {position}, but {due} must come next")
        self._next[partition] = position
        return [Gap(partition, due, position, ends_at_record=False)] if position > due else []


def find_gaps(partition: int, due: int, offsets: Iterable[int]) -> list[Gap]:
    """The gaps between `due` and the last of these offsets. Raises OutOfOrder if they do not grow from `due` on."""
    gaps: list[Gap] = []
    for offset in offsets:
        if offset < due:
            raise OutOfOrder(f"partition {partition}: offset {offset} came, but {due} or a later one must come next")
        if offset > due:
            gaps.append(Gap(partition, due, offset))
        due = offset + 1
    return gaps
