"""Dead letters of consumed records."""

from __future__ import annotations

from triggers.codec import DeadLetter, Reason
from triggers.errors import Undecodable
from triggers.kafka.records import Header, Record, headers_of, or_minus_one, timestamp_ms


def letter_of(record: Record, reason: str, detail: str) -> DeadLetter:
    """The dead letter that holds the record byte for byte; without its headers if they cannot be read.

    `Reason.BAD_HEADERS` says that they were read before, in vain: they must not be read again.
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
