"""Encodes and decodes marks: records among the dead letters that say what an operator did with one of them."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec
from msgspec import Struct


class LetterAction(StrEnum):
    """What an operator did with a dead letter."""

    REDRIVEN = "redriven"
    DISCARDED = "discarded"


class LetterMark(Struct, frozen=True, kw_only=True):
    """A mark, in JSON. It is on the partition of its dead letter, at a later offset."""

    partition: int
    offset: int
    """Coordinates of the dead letter."""
    action: LetterAction
    actor: str | None = None
    """Who did it."""
    job: str | None = None
    """Id of the job by which it was done, or None if it was done for this letter alone."""
    time: int = 0
    """When it was done, in milliseconds since 1970-01-01 UTC: the timestamp of the mark's record."""


_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(LetterMark).decode


def encode_letter_mark(mark: LetterMark) -> bytes:
    """Encodes a mark. Its time is that of the record."""
    members = {name: getattr(mark, name) for name in ("partition", "offset", "action", "actor")}
    return _encode(members if mark.job is None else members | {"job": mark.job})


def decode_letter_mark(value: bytes | None, time: int) -> LetterMark | None:
    """Decodes a mark whose record has this timestamp, or returns None for a record that is none."""
    if value is None or value[:1] != b"{":
        return None
    try:
        return msgspec.structs.replace(_decode(value), time=time)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
