"""`letter_of`: makes dead letters of consumed records."""

from __future__ import annotations

from typing import Final

from triggers.codec import DeadLetter, Reason
from triggers.errors import Undecodable
from triggers.kafka.records import Header, Record, headers_of, or_minus_one, timestamp_ms

HEADERS: Final = "headers"
"""`DeadLetter.missing` of a record whose headers cannot be read."""


def letter_of(record: Record, reason: str, detail: str) -> DeadLetter:
    """Returns the dead letter of a record, which contains its bytes unchanged. Unreadable headers are missing.

    With `Reason.BAD_HEADERS`, the headers are not read, because reading them failed before and must not be repeated.
    """
    headers = None if reason == Reason.BAD_HEADERS else _readable_headers(record)
    return DeadLetter(
        reason=reason,
        detail=detail,
        topic=record.topic() or "",
        partition=or_minus_one(record.partition()),
        offset=or_minus_one(record.offset()),
        time=timestamp_ms(record),
        key=record.key(),
        value=record.value(),
        headers=headers or [],
        missing=HEADERS if headers is None else "",
    )


def _readable_headers(record: Record) -> list[Header] | None:
    """Returns the headers, or None if they cannot be read."""
    try:
        return list(headers_of(record) or [])
    except Undecodable:
        return None
