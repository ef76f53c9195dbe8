"""The keys of a session's rows in the table of its partition, and the interface of such a table.

    s<uid>                                   header: hot, rewritten by nearly every event, always small
    r<len uid><uid>i<task>\\0<n>              instance: one per instance
    r<len uid><uid>p<n>                      payload: kwargs or a result, JSON; small ones have no row
    r<len uid><uid>k<task>                   state of a task that is not hot in the header
    r<len uid><uid>l<trigger>                latest kwargs of a trigger that is not hot in the header
    r<len uid><uid>x<n>                      full chunk of the event index
    r<len uid><uid>d<n>                      full chunk of the dedupe window
    r<len uid><uid>w<task>                   groups that wait for a task, in edition 2
    r<len uid><uid>m<task>                   contributions that the session remembers for a task, in edition 2
    r<len uid><uid>f<trigger>                when such a trigger was fired, in edition 2 before version 5 of headers
    c<hash>                                  configuration, shared by the sessions of the partition
    g                                        hash of all rows of published rules
    g<name>\\0<version>                       a version of published rules, for all sessions of the partition
    t<due><len uid><uid><kind><instance><attempt>  timer; the kind is a byte in edition 2, and not there in edition 1
    q, n, v                                  the index of the partition (triggers.queries.index_rows)

Integers are big-endian: a length has 2 bytes, a number or a time 8, an attempt 4. So keys sort by number and by time,
and all rows of a session are adjacent.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Protocol

from triggers.core.commands import SetTimer
from triggers.core.instance_names import KNOWN_NUMBERS, KNOWN_TASKS
from triggers.core.memo import remember_bounded
from triggers.core.timer_kinds import TIMER_ORDER, TimerKind

Changes = dict[bytes, bytes | None]
"""Rows of one partition; None deletes."""


class Rows(Protocol):
    """The rows of one partition as the next event must see them, read-only.

    In an agent they include rows that are decided and not committed yet (`Overlay`).
    """

    def get(self, key: bytes) -> bytes | None:
        """Returns the row, or None if there is none."""

    def scan(self, prefix: bytes, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Yields the rows whose keys start with the prefix and are not less than `start`, in the order of the keys."""


class MemoryRows(dict[bytes, bytes]):
    """Rows in a dict. Used by tests, the in-memory storage and the analysis tools."""

    def scan(self, prefix: bytes, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        return ((key, self[key]) for key in sorted(self) if key.startswith(prefix) and key >= start)

    def write(self, changes: dict[bytes, bytes | None]) -> None:
        """Applies a session's changes; None deletes a row."""
        for key, value in changes.items():
            if value is None:
                self.pop(key, None)
            else:
                self[key] = value


HEADERS: Final = b"s"
"""Prefix of the headers of all sessions of a partition. Their keys are in the order of the UIDs, as UTF-8."""


def header_key(uid: str) -> bytes:
    """Returns the key of the session's header."""
    return HEADERS + uid.encode()


def session_prefix(uid: str) -> bytes:
    """Returns the prefix of the keys of the session's other rows."""
    encoded = uid.encode()
    return b"r" + len(encoded).to_bytes(2, "big") + encoded


def configuration_key(digest: bytes) -> bytes:
    """Returns the key of a configuration with this hash."""
    return b"c" + digest


def numbered(kind: bytes, number: int) -> bytes:
    """Returns the suffix of a payload (p), or of a chunk of the event index (x) or the dedupe window (d)."""
    return kind + number.to_bytes(8, "big")


def instance_suffix(task: str, number: int) -> bytes:
    """Returns the suffix of an instance. The number has a fixed length, so a task's name may contain any character."""
    suffixes = _suffixes.get(task)
    return suffixes[number] if suffixes is not None and 0 <= number < len(suffixes) else _remember_suffix(task, number)


def _remember_suffix(task: str, number: int) -> bytes:
    start = instances_prefix(task)
    if not 0 <= number < KNOWN_NUMBERS:
        return start + number.to_bytes(8, "big")
    suffixes = _suffixes.get(task)
    if suffixes is None:
        suffixes = remember_bounded(_suffixes, KNOWN_TASKS, task, [])
    while len(suffixes) <= number:
        suffixes.append(start + len(suffixes).to_bytes(8, "big"))
    return suffixes[number]


_suffixes: Final[dict[str, list[bytes]]] = {}


def instances_prefix(task: str | None = None) -> bytes:
    """Returns how the suffixes of all instances begin, or those of one task."""
    return b"i" if task is None else b"i" + task.encode() + b"\0"


def parse_instance_suffix(suffix: bytes) -> tuple[str, int]:
    """Returns the task and number of an instance's row."""
    return suffix[1:-9].decode(), int.from_bytes(suffix[-8:], "big")


CATALOG: Final = b"g"
"""Key of the hash of all rows of published rules, and the prefix of those rows."""


def published_key(name: str, version: int) -> bytes:
    """Returns the key of a version of published rules."""
    return CATALOG + name.encode() + b"\0" + version.to_bytes(8, "big")


TIMERS: Final = b"t"
"""Prefix of all timers of a partition. Their keys are in the order of their due times."""


_FIRST_KIND: Final = 0xF8
"""First of the bytes that stand for kinds of timers, in the order in which timers of one due time fire. No UTF-8 text
starts with one of them."""


def timer_key(due: int, uid: str, instance: str, attempt: int, kind: str = "") -> bytes:
    """Returns the key of a timer. Only timers of edition 2 have a kind."""
    encoded = uid.encode()
    return (
        TIMERS
        + due.to_bytes(8, "big")
        + len(encoded).to_bytes(2, "big")
        + encoded
        + (bytes([_FIRST_KIND + TIMER_ORDER.index(TimerKind(kind))]) if kind else b"")
        + instance.encode()
        + attempt.to_bytes(4, "big")
    )


def parse_timer_key(key: bytes) -> tuple[int, str, str, int, str]:
    """Returns the due time, session, instance, attempt and kind of a timer."""
    uid_end = 11 + int.from_bytes(key[9:11], "big")
    attempt, kind = int.from_bytes(key[-4:], "big"), ""
    name = key[uid_end:-4]
    if name and name[0] >= _FIRST_KIND:
        kind, name = TIMER_ORDER[name[0] - _FIRST_KIND], name[1:]
    return int.from_bytes(key[1:9], "big"), key[11:uid_end].decode(), name.decode(), attempt, kind


TIMER_ROW: Final = b"\x01"
"""Value of a timer's row. All facts are in the key, but some readers of the changelog take an empty value for a
deletion."""


NEVER: Final = 1 << 64
"""The due time of no timer."""


def first_due(rows: Rows) -> int:
    """Returns the due time of the earliest timer, or NEVER."""
    for key, _ in rows.scan(TIMERS):
        return parse_timer_key(key)[0]
    return NEVER


def first_due_among(changes: Changes) -> int:
    """Returns the due time of the earliest timer that the changes set, or NEVER."""
    first = NEVER
    for key, row in changes.items():
        if row is not None and key.startswith(TIMERS):
            first = min(first, parse_timer_key(key)[0])
    return first


def due_timers(rows: Rows, now: int) -> Iterator[SetTimer]:
    """Yields the timers that are due at `now` (milliseconds) or earlier, by due time. Reads one row beyond them."""
    for key, _ in rows.scan(TIMERS):
        due, uid, instance, attempt, kind = parse_timer_key(key)
        if due > now:
            return
        yield SetTimer(session=uid, instance=instance, attempt=attempt, due=due, kind=kind)
