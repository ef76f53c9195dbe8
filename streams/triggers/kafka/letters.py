"""`letter_of`: makes dead letters of consumed records."""

from __future__ import annotations

from triggers.codec import DeadLetter, Reason
from triggers.errors import Undecodable
from triggers.kafka.records import Header, Record, headers_of, or_minus_one, timestamp_ms


def letter_of(record: Record, reason: str, detail: str) -> DeadLetter:
    """Returns the dead letter of a record, which contains its bytes unchanged. Unreadable headers are omitted.

    With `Reason.BAD_HEADERS`, the headers are not read, because reading them failed before and must not be repeated.
    """
    return DeadLetter(
        reason=reason,
        detail=detail,
        topic=record.topic() or "",
        partition=or_minus_one(record.partition()),
        offset=or_minus_one(record.offset()),
        time=timestamp_ms(record),
        key=record.key(),
        value=record.value(),
        headers=[] if reason == Reason.BAD_HEADERS else _readable_headers(record),
    )


def _readable_headers(record: Record) -> list[Header]:
    try:
        return list(headers_of(record) or [])
    except Undecodable:
        return []
