"""Encodes and decodes the records of `<ns>.dead-letters`, which could not be decoded or applied."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from triggers.codec.avro_records import MARKER, avro_codec
from triggers.codec.encodable_text import encodable
from triggers.codec.reasons import Reason
from triggers.errors import Undecodable

MAX_DETAIL_CHARACTERS = 4000

_DEAD_LETTERS = avro_codec("dead_letter")


class DeadLetter(Struct, frozen=True, kw_only=True):
    """A record that could not be decoded or applied, byte for byte unless parts are `missing`, with the reason."""

    reason: str
    """Short, stable reason: `Undecodable.reason`, or the class of the exception that was raised when it was applied."""
    detail: str = ""
    """Exact description of what is wrong, for people."""
    topic: str
    partition: int
    offset: int
    time: int
    """Timestamp of the original record in milliseconds since 1970-01-01 UTC."""
    key: bytes | None = None
    value: bytes | None = None
    headers: list[tuple[str, bytes | None]] = []
    missing: str = ""
    """The parts of the original record that are not here, for people, or "" if the record is complete."""


def encode_dead_letter(letter: DeadLetter) -> bytes:
    """Encodes a dead letter in Avro single-object encoding. Truncates a long detail and escapes surrogates in it."""
    record = msgspec.structs.asdict(letter)
    record["detail"] = encodable(letter.detail)[:MAX_DETAIL_CHARACTERS]
    record["headers"] = [{"name": name, "value": value} for name, value in letter.headers]
    return _DEAD_LETTERS.encode(record)


def decode_dead_letter(value: bytes | None) -> DeadLetter:
    """Decodes a dead letter. Raises Undecodable."""
    if value is None or value[:2] != MARKER:
        raise Undecodable(Reason.UNKNOWN_FORMAT, "a dead letter must be single-object Avro")
    record = _DEAD_LETTERS.decode(value)
    headers = [(header["name"], header["value"]) for header in record.pop("headers")]
    return DeadLetter(**record, headers=headers)
