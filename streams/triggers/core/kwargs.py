"""Joins and merges kwargs as JSON bytes. Values are never decoded, so they reach the task just as they were fired."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from triggers.core.memo import remember_bounded
from triggers.errors import CallError

_encode_name: Final = msgspec.json.Encoder().encode
_members: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_MAX_NAMES: Final = 10_000
_encoded_names: Final[dict[str, bytes]] = {}


def split_members(text: bytes) -> dict[str, bytes]:
    """Returns the members of a JSON object with their values verbatim. Raises CallError for any other text."""
    try:
        return {name: bytes(value) for name, value in _members(text).items()}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CallError(f"it must be a JSON object: {error}") from error


def join_object(members: Mapping[str, bytes]) -> bytes:
    """Returns the JSON object with these members."""
    return join_members([encoded_name(name) + value for name, value in members.items()])


def join_members(members: Iterable[bytes]) -> bytes:
    """Returns the JSON object of encoded members, each of the form `"name":value`."""
    return b"{" + b",".join(members) + b"}"


def encoded_name(name: str) -> bytes:
    """Returns an encoded name and its colon. The encoding is cached because the same names recur."""
    start = _encoded_names.get(name)
    return remember_bounded(_encoded_names, _MAX_NAMES, name, _encode_name(name) + b":") if start is None else start


def merge(base: bytes, over: bytes) -> bytes:
    """Merges two JSON values: objects at every depth, while any other value of `over` replaces that of `base`."""
    if not (_is_object(base) and _is_object(over)):
        return over
    merged = split_members(base)
    for name, value in split_members(over).items():
        merged[name] = merge(merged[name], value) if name in merged else value
    return join_object(merged)


def _is_object(text: bytes) -> bool:
    return text.lstrip()[:1] == b"{"
