"""Times and lengths of time, as people give and read them; milliseconds, since 1970-01-01 UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

_UNITS: Final = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 7 * 86_400_000}
_LENGTH: Final = re.compile(r"(\d+)([smhdw])", re.ASCII)


def moment(milliseconds: int | None) -> str:
    """A time of the log, for people: in UTC. One that no calendar has is told as it is."""
    if not milliseconds:
        return ""
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    except (OverflowError, ValueError, OSError):
        return f"{milliseconds} ms"


def length_of_time(milliseconds: int | None) -> str:
    """For people: in the largest unit, up to days, of which it has at least one."""
    if milliseconds is None:
        return ""
    unit = next((name for name in "dhms" if milliseconds >= _UNITS[name]), None)
    return f"{milliseconds} ms" if unit is None else f"{milliseconds / _UNITS[unit]:.1f} {unit}"


def utc_milliseconds(text: str) -> int:
    """RFC 3339, or as `moment` writes it; without a zone it is UTC, a date is its first moment. Raises ValueError."""
    time = datetime.fromisoformat(text)
    return round((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 1000)


def duration_ms(text: str) -> int:
    """90s, 15m, 12h, 30d or 2w. Raises ValueError."""
    found = _LENGTH.fullmatch(text)
    if not found:
        raise ValueError(f"{text!r} is no length of time such as 90s, 15m, 12h, 30d or 2w")
    return int(found[1]) * _UNITS[found[2]]


def point_in_time(text: str) -> int:
    """A time; negative for a length of time back from the end of the log. Raises ValueError that names both."""
    try:
        return -duration_ms(text) if _LENGTH.fullmatch(text) else utc_milliseconds(text)
    except ValueError:
        raise ValueError(
            f"{text!r} is neither a time such as 2024-03-01 nor a length of time such as 12h or 30d"
        ) from None
