"""Encodes session UIDs as keys of records and decodes them."""

from __future__ import annotations

from typing import Final

from triggers.codec.reasons import Reason
from triggers.errors import CallError, Undecodable

MAX_KEY_BYTES: Final = 1024


def decode_key(key: bytes | None) -> str:
    """Returns the session's UID. Raises Undecodable."""
    if not key:
        raise Undecodable(Reason.BAD_KEY, f"the key is {_missing_or_empty(key)}; it must be the session's UID")
    if len(key) > MAX_KEY_BYTES:
        raise Undecodable(Reason.BAD_KEY, f"the key has {len(key)} bytes; the limit is {MAX_KEY_BYTES}")
    try:
        return key.decode()
    except UnicodeDecodeError as error:
        raise Undecodable(Reason.BAD_KEY, f"the key is not UTF-8: {error.reason} at byte {error.start}") from error


def encode_key(uid: str) -> bytes:
    """Returns the key of all records of a session. Raises CallError if no worker would accept the UID."""
    if not isinstance(uid, str):
        raise CallError(f"session UID: it must be a str, not {type(uid).__name__}; pass str(uid)")
    try:
        key = uid.encode()
    except UnicodeEncodeError as error:
        raise CallError(f"session UID: {error.reason} at character {error.start}") from error
    if not 0 < len(key) <= MAX_KEY_BYTES:
        raise CallError(f"session UID: it has {len(key)} bytes in UTF-8, but must have 1 to {MAX_KEY_BYTES}")
    return key


def check_trigger_name(trigger: object) -> None:
    """Raises CallError unless an application may fire a trigger of that name."""
    if not isinstance(trigger, str):
        raise CallError(f"trigger: it must be a str, not {type(trigger).__name__}")
    if not trigger:
        raise CallError("trigger: it is empty; give the name of a trigger")


def _missing_or_empty(key: bytes | None) -> str:
    return "missing" if key is None else "empty"
