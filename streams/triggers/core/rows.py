"""Keys of a session's rows in its partition's table, and the two things the core asks of a table.

    s<uid>                                   header: hot, rewritten by nearly every event, always small
    r<len uid><uid>i<task>\\0<n>              instance: one per instance
    r<len uid><uid>p<n>                      payload: kwargs or a result, JSON, written once (small ones have none)
    r<len uid><uid>k<task>                   what the session knows of a task, beyond the hot ones in the header
    r<len uid><uid>l<trigger>                latest kwargs of a trigger (payload), likewise
    r<len uid><uid>x<n>                      sealed chunk of the event index
    r<len uid><uid>d<n>                      sealed chunk of the dedupe window
    c<hash>                                  configuration, shared by the sessions of the partition
    t<due><len uid><uid><instance><attempt>  timer

Lengths, numbers and times are big-endian (2, 8 and 8 bytes; an attempt 4), so that byte order is their order and all
rows of a session are neighbours.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Protocol


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


def configuration_key(digest: bytes) -> bytes:
    """Key of a configuration, by the hash of its bytes."""
    return b"c" + digest


def numbered(kind: bytes, number: int) -> bytes:
    """Suffix of a payload (p), a chunk of the event index (x) or of the dedupe window (d)."""
    return kind + number.to_bytes(8, "big")


def instance_suffix(task: str, number: int) -> bytes:
    """Suffix of an instance. Its number has a fixed length, so a task's name may hold any character."""
    return b"i" + task.encode() + b"\0" + number.to_bytes(8, "big")


def parse_instance_suffix(suffix: bytes) -> tuple[str, int]:
    """Task and number of an instance's row."""
    return suffix[1:-9].decode(), int.from_bytes(suffix[-8:], "big")


TIMERS: Final = b"t"
"""Prefix of all timers of a partition, in the order in which they are due."""


def timer_key(due: int, uid: str, instance: str, attempt: int) -> bytes:
    """Key of a timer."""
    encoded = uid.encode()
    return (
        TIMERS
        + due.to_bytes(8, "big")
        + len(encoded).to_bytes(2, "big")
        + encoded
        + instance.encode()
        + attempt.to_bytes(4, "big")
    )


def parse_timer_key(key: bytes) -> tuple[int, str, str, int]:
    """Due time, session, instance and attempt of a timer."""
    uid_end = 11 + int.from_bytes(key[9:11], "big")
    attempt = int.from_bytes(key[-4:], "big")
    return int.from_bytes(key[1:9], "big"), key[11:uid_end].decode(), key[uid_end:-4].decode(), attempt
