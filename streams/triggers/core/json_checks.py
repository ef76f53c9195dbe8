"""Checks the JSON of a configuration. Its messages name the value and the fix."""

from __future__ import annotations

from collections.abc import Iterable

from triggers.core.nearest_name import suggestion
from triggers.errors import InvalidConfiguration


def check_keys(written: dict[str, object], known: Iterable[str], where: str, whose: str, advice: str = "") -> None:
    """Raises InvalidConfiguration for an unknown key. The message suggests the nearest known one."""
    names = tuple(known)
    for key in written:
        if key not in names:
            raise InvalidConfiguration(
                f"{where}: {key!r:.80} is not a key of {whose}{suggestion(key, names)};"
                f" the keys are {', '.join(names)}{advice}"
            )


def require_object(value: object, where: str, what: str = "a JSON object") -> dict[str, object]:
    """Returns the JSON object. Raises InvalidConfiguration."""
    if not isinstance(value, dict):
        raise InvalidConfiguration(f"{where}: it must be {what}, but it is {value!r:.80}")
    return value


def require_list(value: object, where: str, what: str) -> list[object]:
    """Returns the list. Raises InvalidConfiguration."""
    if not isinstance(value, list):
        raise InvalidConfiguration(f"{where}: it must be {what}, but it is {value!r:.80}")
    return value


def require_text(value: object, where: str) -> str:
    """Returns the text. Raises InvalidConfiguration."""
    if not isinstance(value, str):
        raise InvalidConfiguration(f"{where}: it must be a text, but it is {value!r:.80}")
    return value


def require_bool(value: object, where: str) -> bool:
    """Returns the boolean. Raises InvalidConfiguration."""
    if not isinstance(value, bool):
        raise InvalidConfiguration(f"{where}: it must be true or false, but it is {value!r:.80}")
    return value


def require_integer(value: object, where: str, minimum: int, maximum: int) -> int:
    """Returns the integer; `2.0` is one. Raises InvalidConfiguration."""
    number = require_number(value, where, minimum, maximum)
    if not number.is_integer():
        raise InvalidConfiguration(f"{where}: it must be an integer, but it is {value!r:.80}")
    return int(number)


def require_number(value: object, where: str, minimum: float, maximum: float) -> float:
    """Returns the number. Raises InvalidConfiguration."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not minimum <= value <= maximum:
        raise InvalidConfiguration(
            f"{where}: it must be a number from {minimum:,} to {maximum:,}, but it is {value!r:.80}"
        )
    return float(value)
