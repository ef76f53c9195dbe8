"""Hand-written code that reads the events of the hot path in Avro: fired triggers, and the start and end of tasks.

fastavro uses a stream and dicts, which costs more: a fired trigger takes 2.8 µs with its checks instead of 7.6, and the
start or the end of a task 2,400 to 4,700 instructions instead of 65,000. All other events, and those that are not as
expected, are left to fastavro.
"""

from __future__ import annotations

from typing import Final

FIRE: Final = 2 * 0
STARTED: Final = 2 * 2
FINISHED: Final = 2 * 3
"""The encoded indices of `TriggerFired`, `TaskStarted` and `TaskFinished` in the union of events."""

_MORE: Final = 0x80
"""Bit that is set in every byte of a number except the last."""
_LONGEST: Final = 63
"""Maximum of the shift after the last byte of a number."""
_ODD_OR_LONG: Final = 0x81
"""Bits of a text's first byte that are set if its length is negative or needs two bytes."""
MAX_NUMBER: Final = 2**31 - 1
"""Maximum of an attempt and of a log level, which are ints of Avro."""


def read_start(data: bytes, start: int) -> tuple[str, int, str, int]:
    """Returns the id, time and source of an event in the current schema, and the index of its kind.

    The index is -1 if the bytes are no event, and if the length of the id or the source needs two bytes, although they
    may be valid.
    """
    try:
        doubts = data[start]
        end = start + 1 + (doubts >> 1)
        event_id = data[start + 1 : end]
        time, at = _read_long(data, end)
        size = data[at]
        source = data[at + 1 : at + 1 + (size >> 1)]
        kind = at + 1 + (size >> 1)
        if (doubts | size) & _ODD_OR_LONG or kind >= len(data):
            return "", 0, "", -1
        return event_id.decode(), time, source.decode(), kind
    except (IndexError, UnicodeDecodeError):
        return "", 0, "", -1


def read_fire(data: bytes, kind: int) -> tuple[str, bytes] | None:
    """Returns the trigger and kwargs of a `TriggerFired`, or None if the bytes are none that names no published rules.

    It also returns None for a trigger whose length needs two bytes, although it may be valid.
    """
    try:
        size = data[kind + 1]
        end = kind + 2 + (size >> 1)
        trigger = data[kind + 2 : end]
        kwargs, after = _read_bytes(data, end)
        if size & _ODD_OR_LONG or not _ends_at(data, after):
            return None
        return trigger.decode(), kwargs
    except (IndexError, UnicodeDecodeError):
        return None


def read_started(data: bytes, kind: int) -> tuple[str, int] | None:
    """Returns the instance and attempt of a `TaskStarted`, or None if the bytes are none that names no rules."""
    try:
        instance, attempt, after = _read_attempt(data, kind + 1)
        return (instance, attempt) if _ends_at(data, after) else None
    except (IndexError, UnicodeDecodeError):
        return None


def read_finished(data: bytes, kind: int) -> tuple[str, int, bytes, int] | None:
    """Returns the instance, attempt, result and log level of a `TaskFinished`, or None as `read_started` does."""
    try:
        instance, attempt, at = _read_attempt(data, kind + 1)
        result, at = _read_bytes(data, at)
        level, after = _read_long(data, at)
        return (instance, attempt, result, level) if 0 <= level <= MAX_NUMBER and _ends_at(data, after) else None
    except (IndexError, UnicodeDecodeError):
        return None


def _read_attempt(data: bytes, at: int) -> tuple[str, int, int]:
    """Returns the instance, the attempt and the index after them. Raises IndexError also for a long name."""
    size = data[at]
    end = at + 1 + (size >> 1)
    attempt, after = _read_long(data, end)
    if size & _ODD_OR_LONG or not 0 <= attempt <= MAX_NUMBER:
        raise IndexError(at)
    return data[at + 1 : end].decode(), attempt, after


def _read_bytes(data: bytes, at: int) -> tuple[bytes, int]:
    """Returns the bytes at an index and the index after them. Raises IndexError."""
    size, at = _read_long(data, at)
    if size < 0:
        raise IndexError(at)
    return data[at : at + size], at + size


def _ends_at(data: bytes, at: int) -> bool:
    """Returns whether an event ends at an index with one more field, the name of published rules, which is empty."""
    return at + 1 == len(data) and data[at] == 0


def _read_long(data: bytes, at: int) -> tuple[int, int]:
    """Returns the number at an index and the index after it. Raises IndexError if it is truncated or too long."""
    byte = data[at]
    number, shift, at = byte & 0x7F, 7, at + 1
    while byte & _MORE:
        byte = data[at]
        number |= (byte & 0x7F) << shift
        shift, at = shift + 7, at + 1
    if shift > _LONGEST:
        raise IndexError(at)
    return (number >> 1) ^ -(number & 1), at
