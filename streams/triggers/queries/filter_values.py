"""What holds for the values of every filter, whatever it selects."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from triggers.errors import CallError

MAX_TEXT: Final = 1024
"""Maximum number of characters of each text of a filter."""


def check_values(query: Struct) -> None:
    """Raises CallError if a text of the filter is too long or a number is negative."""
    for name in query.__struct_fields__:
        value = getattr(query, name)
        if isinstance(value, str) and len(value) > MAX_TEXT:
            raise CallError(f"{name} has {len(value)} characters; the limit is {MAX_TEXT}")
        if isinstance(value, int) and value < 0:
            raise CallError(f"{name} is {value}; it must not be negative")
