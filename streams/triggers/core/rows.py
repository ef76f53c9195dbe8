"""Keys of a session's rows in its partition's table, and the two things the core asks of a table.

    s<uid>                                   header: hot, rewritten by nearly every event, always small
    r<len uid><uid>i<task>\\0<n>              instance: one per instance
    r<len uid><uid>p<n>                      payload: kwargs or a result, JSON, written once
    r<len uid><uid>l<trigger>                latest kwargs of a trigger that no rule uses
    r<len uid><uid>x<n>                      sealed chunk of the event index
    r<len uid><uid>d<n>                      sealed chunk of the dedupe window
    c<hash>                                  configuration, shared by the sessions of the partition
    t<due><len uid><uid><instance>\\0<n>      timer

Lengths, numbers and times are big-endian (2, 8 and 8 bytes), so that byte order is their order and all rows of a
session are neighbours.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol


class Rows(Protocol):
    """The committed rows of one partition, read-only."""

    def get(self, key: bytes) -> bytes | None:
        """The row, or None. Does not raise for a missing key."""

    def scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """All rows whose key starts with the prefix, in byte order of their keys."""


class MemoryRows(dict[bytes, bytes]):
    """Rows in a dict: tests, the in-memory storage, the analysis tools."""

    def scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """See `Rows`."""
        return ((key, self[key]) for key in sorted(self) if key.startswith(prefix))

    def write(self, changes: dict[bytes, bytes | None]) -> None:
        """Apply a session's changes; None deletes."""
        for key, value in changes.items():
            if value is None:
                self.pop(key, None)
            else:
                self[key] = value


def header_key(uid: str) -> bytes:
    """Key of the session's header."""
    return b"s" + uid.encode()


def session_prefix(uid: str) -> bytes:
    """What the keys of all the session's other rows start with."""
    encoded = uid.encode()
    return b"r" + len(encoded).to_bytes(2, "big") + encoded
