"""A checksum of the records that a reader has read from a partition."""

from __future__ import annotations

from dataclasses import dataclass
from zlib import crc32

_WORD = 0xFFFFFFFF


@dataclass(slots=True)
class Tally:
    """Counts and checksum of the records that a reader has read. They are equal for two readers of the same log."""

    last: int = -1
    count: int = 0
    checksum: int = 0
    """Checksum of all values and their offsets."""

    def add(self, offset: int, value: bytes) -> None:
        """Adds a record. Offsets must be increasing."""
        self.last, self.count = offset, self.count + 1
        self.checksum = (self.checksum + crc32(value, offset & _WORD)) & _WORD
