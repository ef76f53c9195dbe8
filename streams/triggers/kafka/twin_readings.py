"""Two readers of the same range of offsets: what both have found is all that is there. Pure.

In a compacted topic nearly every record has a gap before it, so gaps tell nothing: a record that the client left out
looks like one that was compacted. A second reader of the whole range would have to leave out the very same records.
"""

from __future__ import annotations

from typing import Final

_FIRST: Final = 0
_SECOND: Final = 1


class ReadingsDiffer(Exception):
    """One of the readers has found a record that the other one has not, at a place that both have passed."""

    def __init__(self, partition: int, offset: int) -> None:
        super().__init__(f"partition {partition}: a record at offset {offset} was found by one of two readers only")
        self.partition = partition
        self.offset = offset


class TwinReading:
    """One partition, read twice up to an offset. Each reader tells what it finds, in its order and at its pace."""

    def __init__(self, partition: int, end: int) -> None:
        """`end`: the offset behind the range."""
        self._partition = partition
        self._end = end
        self._ahead: tuple[list[int], list[int]] = ([], [])
        self._has_ended = [False, False]
        self.verified: int | None = None
        """The last offset that both have found."""

    @property
    def is_complete(self) -> bool:
        """Whether both have read the whole range and found the same."""
        return all(self._has_ended) and not any(self._ahead)

    @property
    def lead(self) -> int:
        """By how many records the second reader is ahead of the first one."""
        return len(self._ahead[_SECOND])

    def tell_first(self, offsets: list[int]) -> None:
        """The first reader found records at these offsets. Raises ReadingsDiffer."""
        self._tell(_FIRST, offsets)

    def tell_second(self, offsets: list[int]) -> None:
        """The second reader found records at these offsets. Raises ReadingsDiffer."""
        self._tell(_SECOND, offsets)

    def end_first(self, position: int) -> None:
        """The first reader has passed everything before this position. Raises ReadingsDiffer."""
        self._reach(_FIRST, position)

    def end_second(self, position: int) -> None:
        """The second reader has passed everything before this position. Raises ReadingsDiffer."""
        self._reach(_SECOND, position)

    def _tell(self, reader: int, offsets: list[int]) -> None:
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
