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


def append_position(header: Header, rows: SessionRows, position: int) -> None:
    """Adds the position of the latest event, or of published rules that the session takes."""
    tail = header.tail
    tail.append(position)
    if len(tail) == _CHUNK:
        rows.put(numbered(b"x", header.chunks), _encode(tail))
        header.chunks += 1
        header.tail = []


def read_positions(header: Header, rows: SessionRows) -> Iterator[int]:
    """Yields all positions. Only for queries: changes must have been written."""
    for number in range(header.chunks):
        if row := rows.get(numbered(b"x", number)):
            yield from _decode(row)
    yield from header.tail
