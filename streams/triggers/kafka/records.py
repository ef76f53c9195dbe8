"""`Record`: a consumed record of any topic, and functions that read its fields."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, Protocol, cast

from confluent_kafka import Message

from triggers.codec import Reason
from triggers.errors import Undecodable

Header = tuple[str, bytes | None]

LOG_APPEND_TIME: Final = 2
"""confluent-kafka's `TIMESTAMP_LOG_APPEND_TIME`, for modules that do not import it."""


class Record(Protocol):
    """The part of confluent-kafka's `Message` that describes a consumed record."""

    def topic(self) -> str | None:
        """Returns the name of the topic."""

    def partition(self) -> int | None:
        """Returns the partition."""

    def offset(self) -> int | None:
        """Returns the offset in the partition."""

    def timestamp(self) -> tuple[int, int]:
        """Returns the kind of the timestamp, and milliseconds since 1970-01-01 UTC."""

    def key(self) -> bytes | None:
        """Returns the bytes of the key, or None."""

    def value(self) -> bytes | None:
        """Returns the bytes of the value, or None for a tombstone."""

    def headers(self) -> Sequence[Header] | None:
        """Returns the headers in order, or None. Call `headers_of` instead."""


# Compiled code calls a method of the class in half the time of one that it looks up by name in the object.
_read_key: Final = cast("Callable[[Record], bytes | None]", Message.key)
_read_value: Final = cast("Callable[[Record], bytes | None]", Message.value)
_read_offset: Final = cast("Callable[[Record], int | None]", Message.offset)
_read_timestamp: Final = cast("Callable[[Record], tuple[int, int]]", Message.timestamp)
_read_headers: Final = cast("Callable[[Record], Sequence[Header] | None]", partial(Message.headers))


def key_of(record: Record) -> bytes | None:
    """Returns the bytes of the record's key, or None."""
    return _read_key(record)


def value_of(record: Record) -> bytes | None:
    """Returns the bytes of the record's value, or None for a tombstone."""
    return _read_value(record)


def offset_of(record: Record) -> int:
    """Returns the record's offset in its partition."""
    return or_minus_one(_read_offset(record))


def headers_of(record: Record) -> Sequence[Header] | None:
    """Returns the record's headers. Raises Undecodable if a name is not UTF-8; they must not be read again then.

    In that case confluent-kafka returns a result although an exception is set. CPython notices that in a call from C,
    which is why this function uses `partial`, but not in its specialised method calls. A second call would return
    a tuple that contains a null pointer.
    """
    try:
        return _read_headers(record)
    except (SystemError, UnicodeDecodeError) as error:
        raise Undecodable(Reason.BAD_HEADERS, "the name of a header is not UTF-8; the headers are lost") from error


def timestamp_ms(record: Record) -> int:
    """Returns the record's timestamp in milliseconds, or 0 if it has none."""
    return max(_read_timestamp(record)[1], 0)


def append_time_ms(record: Record) -> int:
    """Returns when the broker appended the record, in milliseconds, or 0 if the timestamp is the producer's."""
    kind, time = record.timestamp()
    return time if kind == LOG_APPEND_TIME else 0


def or_minus_one(number: int | None) -> int:
    """Returns the number, or -1 for None. A consumed record always has a partition and an offset."""
    return -1 if number is None else number
