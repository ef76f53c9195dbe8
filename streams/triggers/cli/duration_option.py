"""Option types for durations and for points in time; a duration can stand for a point before the end of a log."""

from __future__ import annotations

import click

from triggers.analysis.times import duration_ms, point_in_time


class Duration(click.ParamType):
    """A duration such as 90s, 15m, 12h or 30d, converted to milliseconds."""

    name = "DURATION"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        try:
            return duration_ms(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class PointInTime(click.ParamType):
    """A time, converted to milliseconds since 1970, or a duration, converted to negative milliseconds.

    A negative value counts back from the end of the log.
    """

    name = "TIME|DURATION"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        try:
            return point_in_time(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
