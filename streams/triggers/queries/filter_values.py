"""The values of every filter, no matter what it selects: how they are parsed, and which are refused."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from triggers.core.published_rules import MAX_VERSION
from triggers.errors import CallError

MAX_TEXT: Final = 1024
"""Maximum number of characters of each text of a filter."""
_VERSION_DIGITS: Final = len(str(MAX_VERSION))


def check_values(query: Struct) -> None:
    """Raises CallError if a text of the filter is too long or a number is negative."""
    for name in query.__struct_fields__:
        value = getattr(query, name)
        if isinstance(value, str) and len(value) > MAX_TEXT:
            raise CallError(f"{name} has {len(value)} characters; the limit is {MAX_TEXT}")
        if isinstance(value, int) and value < 0:
            raise CallError(f"{name} is {value}; it must not be negative")


def parse_rules(text: str) -> tuple[str, int | None]:
    """Returns name and version of `NAME@VERSION`. The version is None if the text is only a name. Raises CallError."""
    name, at, version = text.rpartition("@")
    if not at:
        return text, None
    is_number = version.isascii() and version.isdecimal() and len(version) <= _VERSION_DIGITS
    if not is_number or not 0 < int(version) <= MAX_VERSION:
        raise CallError(
            f"rules are {text!r:.200}, but the version must be a number from 1 to {MAX_VERSION}, as in orders@3"
        )
    return name, int(version)


def time_before(now: int, length: int | None) -> int | None:
    """Returns the moment that is `length` before `now`, in milliseconds and at least 0, or None without a length."""
    return None if length is None else max(0, now - length)
