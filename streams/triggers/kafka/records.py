"""Consumed records, as everybody who reads one of our topics sees them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import methodcaller
from typing import Final, Protocol

from triggers.codec import Reason
from triggers.errors import Undecodable

Header = tuple[str, bytes | None]


class Record(Protocol):
    """One consumed record: confluent-kafka's `Message`."""

    def topic(self) -> str | None:
        """Name of the topic."""

    def partition(self) -> int | None:
        """Partition it was read from."""

    def offset(self) -> int | None:
        """Its place in the partition."""

    def timestamp(self) -> tuple[int, int]:
        """(kind, milliseconds since 1970-01-01 UTC)."""

    def key(self) -> bytes | None:
        """The key's bytes."""

    def value(self) -> bytes | None:
        """The value's bytes; None is a tombstone."""

    def headers(self) -> Sequence[Header] | None:
        """Headers in order, or None. Call `command_headers` instead."""


_read_headers: Final[Callable[[Record], Sequence[Header] | None]] = methodcaller("headers")


def headers_of(record: Record) -> Sequence[Header] | None:
    """The record's headers. Raises Undecodable for a name that is no UTF-8; do not read them again then.

    confluent-kafka returns a result with the exception pending, which CPython's specialised method calls do not look
    for and a call from C does; a second call returns a tuple with a null pointer in it.
    """
    try:
        return _read_headers(record)
    except (SystemError, UnicodeDecodeError) as error:
        raise Undecodable(Reason.BAD_HEADERS, "the name of a header is not UTF-8; the headers are lost") from error


def timestamp_ms(record: Record) -> int:
    """The record's timestamp in milliseconds; 0: it has none."""
    return max(record.timestamp()[1], 0)


def or_minus_one(number: int | None) -> int:
    """A consumed record has both partition and offset; -1 if it had not."""
    return -1 if number is None else number
