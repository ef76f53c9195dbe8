"""Bytes ⇄ records of `<ns>.dead-letters`: what could not be decoded or applied, and why."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from triggers.codec.avro_records import MARKER, records_of
from triggers.codec.reasons import Reason
from triggers.errors import Undecodable

MAX_DETAIL_CHARACTERS = 4000

_DEAD_LETTERS = records_of("dead_letter")


class DeadLetter(Struct, frozen=True, kw_only=True):
    """A record that nobody could use, byte for byte, and the reason."""

    reason: str
    """Short and stable: `Undecodable.reason`, or the class of the error that applying it raised."""
    detail: str = ""
    """For people."""
    topic: str
    partition: int
    offset: int
    time: int
    """Timestamp of the original record in milliseconds."""
    key: bytes | None = None
    value: bytes | None = None
    headers: list[tuple[str, bytes | None]] = []


def encode_dead_letter(letter: DeadLetter) -> bytes:
    """The dead letter in Avro single-object encoding; a long detail is cut, odd text in it escaped."""
    record = msgspec.structs.asdict(letter)
    record["detail"] = _printable(letter.detail)[:MAX_DETAIL_CHARACTERS]
    record["headers"] = [{"name": name, "value": value} for name, value in letter.headers]
    return _DEAD_LETTERS.encode(record)


def decode_dead_letter(value: bytes | None) -> DeadLetter:
    """Raises Undecodable."""
    if value is None or value[:2] != MARKER:
        raise Undecodable(Reason.UNKNOWN_FORMAT, "a dead letter is Avro single-object")
    record = _DEAD_LETTERS.decode(value)
    headers = [(header["name"], header["value"]) for header in record.pop("headers")]
    return DeadLetter(**record, headers=headers)


def _printable(text: str) -> str:
    return text.encode(errors="backslashreplace").decode()
