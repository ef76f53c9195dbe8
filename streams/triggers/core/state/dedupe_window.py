"""The window of a session's latest event ids. The newest ids are in the header, full chunks are in rows."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from typing import Final

from mypy_extensions import mypyc_attr

from triggers.core.state.header import Header
from triggers.core.state.rows import numbered
from triggers.core.state.session_rows import SessionRows

_DIGEST_BYTES: Final = 8
_CHUNK_BYTES: Final = 32 * _DIGEST_BYTES
_CHUNKS: Final = 32
"""Number of full chunks: 1,024 ids in rows, and up to 31 more in the header."""


@mypyc_attr(acyclic=True)
class DedupeWindow:
    """Recognises repeated event ids by their digests. It reads its rows on the first call of `knows`."""

    __slots__ = ("_header", "_known", "_rows")

    def __init__(self, header: Header, rows: SessionRows) -> None:
        self._header = header
        self._rows = rows
        self._known: set[bytes] | None = None

    def contains(self, event_id: str) -> bool:
        """Returns whether an event with that id is in the window."""
        if self._known is None:
            self._known = set(self._stored())
        return _digest(event_id) in self._known

    def remember(self, event_id: str) -> None:
        """Adds an id, which must not be in the window yet."""
        header, digest = self._header, _digest(event_id)
        header.ids += digest
        if self._known is not None:
            self._known.add(digest)
        if len(header.ids) == _CHUNK_BYTES:
            self._rows.put(numbered(b"d", header.id_chunks % _CHUNKS), header.ids)
            header.id_chunks += 1
            header.ids = b""
            self._known = None

    def _stored(self) -> Iterator[bytes]:
        rows = [self._rows.get(numbered(b"d", n)) for n in range(min(self._header.id_chunks, _CHUNKS))]
        for chunk in (*rows, self._header.ids):
            for start in range(0, len(chunk or b""), _DIGEST_BYTES):
                yield (chunk or b"")[start : start + _DIGEST_BYTES]


def _digest(event_id: str) -> bytes:
    return blake2b(event_id.encode(), digest_size=_DIGEST_BYTES).digest()
