"""Joins and merges kwargs as JSON bytes. Values are never decoded, so they reach the task just as they were fired."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from triggers.core.memo import remember
from triggers.errors import CallError

_encode_name: Final = msgspec.json.Encoder().encode
_members: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_MOST_STARTS: Final = 10_000
_starts: Final[dict[str, bytes]] = {}


def members_of(text: bytes) -> dict[str, bytes]:
    """Returns the members of a JSON object with their values verbatim. Raises CallError for any other text."""
    try:
        return {name: bytes(value) for name, value in _members(text).items()}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CallError(f"it must be a JSON object: {error}") from error


def object_of(members: Mapping[str, bytes]) -> bytes:
    """Returns the JSON object with these members."""
    return joined([start_of(name) + value for name, value in members.items()])


def joined(members: Iterable[bytes]) -> bytes:
    """Returns the JSON object of encoded members, each of the form `"name":value`."""
    return b"{" + b",".join(members) + b"}"


def start_of(name: str) -> bytes:
    """Returns an encoded name and its colon. The encoding is cached because the same names recur."""
    start = _starts.get(name)
    return remember(_starts, _MOST_STARTS, name, _encode_name(name) + b":") if start is None else start


def merge(base: bytes, over: bytes) -> bytes:
    """Merges two JSON values: objects at every depth, while any other value of `over` replaces that of `base`."""
    if not (_is_object(base) and _is_object(over)):
        return over
    merged = members_of(base)
    for name, value in members_of(over).items():
        merged[name] = merge(merged[name], value) if name in merged else value
    return object_of(merged)


def _is_object(text: bytes) -> bool:
    return text.lstrip()[:1] == b"{"
