"""The index of a session's log: the positions of all events, the latest in the header and full chunks in rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from triggers.core.state.header import Header
from triggers.core.state.rows import numbered
from triggers.core.state.session_rows import SessionRows

_CHUNK: Final = 32

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(list[int]).decode


class EventIndex:
    """The positions in the log of a session's events, and of the published rules that it took, in their order."""

    __slots__ = ("_header", "_rows")

    def __init__(self, header: Header, rows: SessionRows) -> None:
        self._header = header
        self._rows = rows

    def append(self, position: int) -> None:
        """Adds the latest event."""
        header = self._header
        header.events += 1
        tail = header.tail
        tail.append(position)
        if len(tail) == _CHUNK:
            self._rows.put(numbered(b"x", header.chunks), _encode(tail))
            header.chunks += 1
            header.tail = []

    def append_rules(self, position: int) -> None:
        """Adds published rules that the session takes. They are in its log, but are no event of its own."""
        self.append(position)
        self._header.events -= 1

    def positions(self) -> Iterator[int]:
        """Yields all positions. Only for queries: changes must have been written."""
        for number in range(self._header.chunks):
            if row := self._rows.get(numbered(b"x", number)):
                yield from _decode(row)
        yield from self._header.tail
