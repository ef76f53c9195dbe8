"""A period before the end of a log, or a moment."""

from __future__ import annotations

import re
from typing import Final

import click
from msgspec import Struct

from triggers.cli.utc_time import utc_milliseconds

_UNITS: Final = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 7 * 86_400_000}
_LENGTH: Final = re.compile(r"(\d+)([smhdw])")


class Since(Struct, frozen=True):
    """One of the two, in milliseconds."""

    within: int | None = None
    """So long before the last event of the log."""
    moment: int | None = None
    """Since 1970-01-01 UTC."""


class Period(click.ParamType):
    """`30d`, `12h`, … before the last event, or a moment: `2024-03-01`, `2024-03-01T10:20:30Z`."""

    name = "PERIOD|TIME"

    def convert(self, value: str | Since, param: click.Parameter | None, ctx: click.Context | None) -> Since:
        """See click."""
        if isinstance(value, Since):
            return value
        if found := _LENGTH.fullmatch(value):
            return Since(within=int(found[1]) * _UNITS[found[2]])
        try:
            return Since(moment=utc_milliseconds(value))
        except ValueError:
            self.fail(f"{value!r} is neither a period like 30d, 12h or 90m nor a time like 2024-03-01", param, ctx)
