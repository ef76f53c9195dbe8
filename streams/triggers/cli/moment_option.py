"""Option type for a moment in a session's log: an offset, a record's coordinates, or a time."""

from __future__ import annotations

import click

from triggers.analysis.time_travel import Moment, parse_moment


class MomentType(click.ParamType):
    """The moment after the event at an offset (17, or 3/17 as commands print it), or at a time (`parse_moment`)."""

    name = "OFFSET|TIME"

    def convert(self, value: str | Moment, param: click.Parameter | None, ctx: click.Context | None) -> Moment:
        if isinstance(value, Moment):
            return value
        try:
            return parse_moment(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
