"""Lengths of time, and times that may be given as a length back from the end of a log."""

from __future__ import annotations

import click

from triggers.cli.utc_time import utc_milliseconds

_UNITS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


class Duration(click.ParamType):
    """Milliseconds, given as 90s, 15m, 12h or 30d."""

    name = "DURATION"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """See click."""
        if isinstance(value, int):
            return value
        if not (value[:-1].isdecimal() and value[-1:] in _UNITS):
            self.fail(f"{value!r} is no length of time such as 90s, 15m, 12h or 30d", param, ctx)
        return int(value[:-1]) * _UNITS[value[-1]]


class PointInTime(click.ParamType):
    """Milliseconds: since 1970 for a time; negative, back from the end of the log, for a duration."""

    name = "TIME|DURATION"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """See click."""
        if isinstance(value, int):
            return value
        try:
            return utc_milliseconds(value)
        except ValueError:
            return -Duration().convert(value, param, ctx)
