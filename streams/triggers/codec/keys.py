"""Session UID ⇄ key of a record."""

from __future__ import annotations

from typing import Final

from triggers.codec.reasons import Reason
from triggers.errors import CallError, Undecodable

MAX_KEY_BYTES: Final = 1024


def decode_key(key: bytes | None) -> str:
    """The session's UID. Raises Undecodable."""
    if not key:
        raise Undecodable(Reason.BAD_KEY, "the key must be the session's UID, it is " + _nothing(key))
    if len(key) > MAX_KEY_BYTES:
        raise Undecodable(Reason.BAD_KEY, f"{len(key)} bytes, the limit is {MAX_KEY_BYTES}")
    try:
        return key.decode()
    except UnicodeDecodeError as error:
        raise Undecodable(Reason.BAD_KEY, f"not UTF-8: {error.reason} at byte {error.start}") from error


def encode_key(uid: str) -> bytes:
    """The key of every record of the session. Raises CallError for a UID that no worker would accept."""
    try:
        key = uid.encode()
    except UnicodeEncodeError as error:
        raise CallError(f"session UID: {error.reason} at character {error.start}") from error
    if not 0 < len(key) <= MAX_KEY_BYTES:
        raise CallError(f"session UID: {len(key)} bytes, it must have 1 to {MAX_KEY_BYTES}")
    return key


def _nothing(key: bytes | None) -> str:
    return "missing" if key is None else "empty"
