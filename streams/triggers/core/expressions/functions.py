"""Functions of CEL that the library lacks, or that differ in the library from the specification of CEL.

The library counts the bytes of a text where CEL counts code points, and has neither `string(bool)` nor `bool(text)`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

FUNCTIONS: Final = frozenset(
    {"bool", "bytes", "double", "duration", "dyn", "has", "int", "size", "string", "timestamp", "uint"}
)
"""The functions that may be called as `f(x)`."""
_DATES: Final = ("FullYear", "Month", "Date", "DayOfMonth", "DayOfWeek", "DayOfYear", "Hours", "Minutes", "Seconds")
METHODS: Final = frozenset(
    {"all", "contains", "endsWith", "exists", "exists_one", "filter", "map", "matches", "size", "startsWith"}
    | {f"get{part}" for part in (*_DATES, "Milliseconds")}
)
"""The functions that may be called as `x.f()`."""

_TRUE: Final = frozenset({"1", "t", "T", "true", "TRUE", "True"})
_FALSE: Final = frozenset({"0", "f", "F", "false", "FALSE", "False"})


def _size(value: object) -> int:
    if isinstance(value, str | bytes | list | dict):
        return len(value)
    raise TypeError("no such overload: size")


def _string(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    raise TypeError("no such overload: string")


def _bool(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value in _TRUE | _FALSE:
        return value in _TRUE
    raise TypeError("no such overload: bool")


RENAMED: Final = {"size": "triggers_size"}
"""The library prefers its own function to ours of the same name: calls of these get another one."""
OWN_FUNCTIONS: Final[dict[str, tuple[str, Callable[[object], object]]]] = {
    "bool": ("bool", _bool),
    "size": (RENAMED["size"], _size),
    "string": ("string", _string),
}
"""Our own functions: name in rules -> name for the library, function. `string` is asked only for booleans."""
