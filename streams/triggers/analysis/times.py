"""Parses and formats times and durations for people. Times are milliseconds since 1970-01-01 UTC."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from typing import Final

_UNITS: Final = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 7 * 86_400_000}
DAY_MS: Final = _UNITS["d"]
_LENGTH: Final = re.compile(r"(\d+)([smhdw])", re.ASCII)


def moment(milliseconds: int | None) -> str:
    """Formats a time in UTC. A time that the calendar does not have is shown in milliseconds."""
    if not milliseconds:
        return ""
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    except (OverflowError, ValueError, OSError):
        return f"{milliseconds} ms"


def length_of_time(milliseconds: int | None) -> str:
    """Formats a duration in the largest unit, up to days, of which it has at least one."""
    if milliseconds is None:
        return ""
    unit = next((name for name in "dhms" if milliseconds >= _UNITS[name]), None)
    return f"{milliseconds} ms" if unit is None else f"{milliseconds / _UNITS[unit]:.1f} {unit}"


def time_ago(milliseconds: int) -> str:
    """Returns how long ago a time was, by the clock of this machine: `2 min ago`."""
    return f"{length_of_time(max(0, time.time_ns() // 1_000_000 - milliseconds))} ago"


def duration_words(milliseconds: int) -> str:
    """Formats a duration as rules write it, in the largest unit that divides it."""
    for unit, length in reversed(_UNITS.items()):
        if milliseconds >= length and milliseconds % length == 0:
            return f"{milliseconds // length}{unit}"
    return f"{milliseconds}ms"


def utc_milliseconds(text: str) -> int:
    """Parses RFC 3339 or the format of `moment`. The default zone is UTC; a date means midnight. Raises ValueError."""
    time = datetime.fromisoformat(text)
    return round((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 1000)


def duration_ms(text: str) -> int:
    """Parses a duration such as 90s, 15m, 12h, 30d or 2w. Raises ValueError."""
    match = _LENGTH.fullmatch(text)
    if not match:
        raise ValueError(f"{text!r} is not a duration such as 90s, 15m, 12h, 30d or 2w")
    return int(match[1]) * _UNITS[match[2]]


def point_in_time(text: str) -> int:
    """Parses a time, or a duration, which counts back from the end of the log and is returned negative.

    Raises ValueError, which names both formats.
    """
    try:
        return -duration_ms(text) if _LENGTH.fullmatch(text) else utc_milliseconds(text)
    except ValueError:
        raise ValueError(f"{text!r} is neither a time such as 2024-03-01 nor a duration such as 12h or 30d") from None
