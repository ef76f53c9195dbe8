"""Lengths of time, and times that may be given as a length back from the end of a log."""

from __future__ import annotations

import click

from triggers.analysis.times import duration_ms, point_in_time


class Duration(click.ParamType):
    """Milliseconds, given as 90s, 15m, 12h or 30d."""

    name = "DURATION"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """See click."""
        if isinstance(value, int):
            return value
        try:
            return duration_ms(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class PointInTime(click.ParamType):
    """Milliseconds: since 1970 for a time; negative, back from the end of the log, for a duration."""

    name = "TIME|DURATION"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """See click."""
        if isinstance(value, int):
            return value
        try:
            return point_in_time(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
