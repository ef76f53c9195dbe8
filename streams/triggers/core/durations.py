"""Parses durations, which people write as `90s` or `2h` and the engine counts in whole milliseconds."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import Final

from triggers.errors import InvalidConfiguration

MAX_DURATION_MS: Final = 3_650 * 86_400_000

_UNITS: Final = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 7 * 86_400_000}
_PART: Final = re.compile(r"([0-9]{1,20})(ms|[smhdw])")
_TEXT: Final = re.compile(r"(?:[0-9]{1,20}(?:ms|[smhdw]))+")
_ISO: Final = re.compile(
    r"P(?=[0-9T])(?:([0-9]{1,20})W)?(?:([0-9]{1,20})D)?"
    r"(?:T(?=[0-9])(?:([0-9]{1,20})H)?(?:([0-9]{1,20})M)?(?:([0-9]{1,20}(?:[.,][0-9]{1,20})?)S)?)?"
)
_ISO_UNITS: Final = ("w", "d", "h", "m")
_FORMS: Final = 'a number of seconds, a text such as "500ms", "30s" or "1h30m", or ISO 8601 such as "PT15M"'


def parse_duration(value: object, where: str) -> int:
    """Returns the duration in milliseconds, rounded down.

    `value` is decoded JSON. Raises InvalidConfiguration, which begins with `where` and names the value and the fix.
    """
    milliseconds = _of_text(value) if isinstance(value, str) else _of_number(value)
    if milliseconds is None:
        raise InvalidConfiguration(f"{where}: {value!r:.80} is not a duration; write {_FORMS}")
    if not 1 <= milliseconds <= MAX_DURATION_MS:
        raise InvalidConfiguration(f"{where}: {value!r:.80} is not between 1 ms and 3,650 days; write {_FORMS}")
    return milliseconds


def _of_number(value: object) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value * 1_000
    if isinstance(value, float) and math.isfinite(value):
        return math.floor(Decimal(repr(value)) * 1_000)
    return None


def _of_text(text: str) -> int | None:
    if _TEXT.fullmatch(text):
        parts = _PART.findall(text)
        if len({unit for _, unit in parts}) < len(parts):
            return None
        return sum(int(number) * _UNITS[unit] for number, unit in parts)
    if found := _ISO.fullmatch(text):
        *wholes, seconds = found.groups()
        whole = sum(int(number or 0) * _UNITS[unit] for number, unit in zip(wholes, _ISO_UNITS, strict=True))
        return whole + math.floor(Decimal((seconds or "0").replace(",", ".")) * 1_000)
    return None
