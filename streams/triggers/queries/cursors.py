"""Cursors say where the next page of a query begins. They are opaque to those who pass them on."""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final

import msgspec

from triggers.errors import CallError
from triggers.queries.session_query import SessionQuery

_DIGEST_BYTES: Final = 6


def encode_cursor(query: SessionQuery, after: str) -> str:
    """Returns the cursor for the sessions after this UID."""
    return urlsafe_b64encode(_digest(query) + after.encode()).decode().rstrip("=")


def decode_cursor(query: SessionQuery, cursor: str) -> str:
    """Returns the UID of a cursor. Raises CallError if it is none, or one of another query."""
    try:
        data = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        digest, after = data[:_DIGEST_BYTES], data[_DIGEST_BYTES:].decode()
    except ValueError:
        after = ""
    if not after:
        raise CallError(f"{cursor!r:.80} is no cursor; pass the cursor of the previous page")
    if digest != _digest(query):
        raise CallError(f"{cursor!r:.80} belongs to another query; begin without a cursor")
    return after


def _digest(query: SessionQuery) -> bytes:
    return hashlib.blake2b(msgspec.json.encode(query), digest_size=_DIGEST_BYTES).digest()
