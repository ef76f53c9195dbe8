"""What a reader has seen of a partition, so that two readers of it can be compared."""

from __future__ import annotations

from dataclasses import dataclass
from zlib import crc32

_WORD = 0xFFFFFFFF


@dataclass(slots=True)
class Tally:
    """What a reader has seen of a partition: two readers of the same log have the same."""

    last: int = -1
    count: int = 0
    checksum: int = 0
    """Of all values and where they are."""

    def note(self, offset: int, value: bytes) -> None:
        """A record was read; offsets must come in order."""
        self.last, self.count = offset, self.count + 1
        self.checksum = (self.checksum + crc32(value, offset & _WORD)) & _WORD
