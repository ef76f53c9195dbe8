"""`TwinReading`: compares what two readers find in the same range of offsets. Pure.

In a compacted topic nearly every record has a gap before it, so a record that the client skipped looks like one that
was compacted. Therefore a second reader reads the whole range, too. A skipped record would go unnoticed only if both
readers skipped it.
"""

from __future__ import annotations

from typing import Final

_FIRST: Final = 0
_SECOND: Final = 1


class ReadingsDiffer(Exception):
    """Only one of the readers has found a record, at an offset that both have passed."""

    def __init__(self, partition: int, offset: int) -> None:
        super().__init__(f"partition {partition}: a record at offset {offset} was found by one of two readers only")
        self.partition = partition
        self.offset = offset


class TwinReading:
    """The comparison for one partition. Each reader reports the offsets that it finds, in order and at its own pace."""

    def __init__(self, partition: int, end: int) -> None:
        """`end` is the offset after the range."""
        self._partition = partition
        self._end = end
        self._ahead: tuple[list[int], list[int]] = ([], [])
        self._has_ended = [False, False]
        self.verified: int | None = None
        """Last offset that both readers have found, or None."""

    @property
    def is_complete(self) -> bool:
        """True if both readers have read the whole range and found the same records."""
        return all(self._has_ended) and not any(self._ahead)

    @property
    def lead(self) -> int:
        """Number of records by which the second reader is ahead of the first one."""
        return len(self._ahead[_SECOND])

    def add_first(self, offsets: list[int]) -> None:
        """Accepts the offsets of records that the first reader found. Raises ReadingsDiffer."""
        self._add(_FIRST, offsets)

    def add_second(self, offsets: list[int]) -> None:
        """Accepts the offsets of records that the second reader found. Raises ReadingsDiffer."""
        self._add(_SECOND, offsets)

    def end_first(self, position: int) -> None:
        """Accepts the position that the first reader has reached. Raises ReadingsDiffer."""
        self._reach(_FIRST, position)

    def end_second(self, position: int) -> None:
        """Accepts the position that the second reader has reached. Raises ReadingsDiffer."""
        self._reach(_SECOND, position)

    def _add(self, reader: int, offsets: list[int]) -> None:
        if offsets[-1] >= self._end:
            self._has_ended[reader] = True
            offsets = [offset for offset in offsets if offset < self._end]
        self._ahead[reader].extend(offsets)
        self._compare()

    def _reach(self, reader: int, position: int) -> None:
        if position >= self._end:
            self._has_ended[reader] = True
            self._compare()

    def _compare(self) -> None:
        first, second = self._ahead
        both = min(len(first), len(second))
        if both:
            if first[:both] != second[:both]:
                raise ReadingsDiffer(self._partition, _first_difference(first, second))
            self.verified = first[both - 1]
            del first[:both], second[:both]
        for ended, ahead in zip(self._has_ended, (second, first), strict=True):
            if ended and ahead:
                raise ReadingsDiffer(self._partition, ahead[0])


def _first_difference(first: list[int], second: list[int]) -> int:
    return next(min(pair) for pair in zip(first, second, strict=False) if pair[0] != pair[1])
