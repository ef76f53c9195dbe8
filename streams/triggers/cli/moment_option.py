"""A moment in a session's log, as people give it: an offset, a place, or a time."""

from __future__ import annotations

import click

from triggers.analysis.time_travel import Moment
from triggers.cli.utc_time import utc_milliseconds


class MomentType(click.ParamType):
    """After the event of this offset (17, or 3/17 as commands print it), or at this time (`utc_milliseconds`)."""

    name = "OFFSET|TIME"

    def convert(self, value: str | Moment, param: click.Parameter | None, ctx: click.Context | None) -> Moment:
        """See click."""
        if isinstance(value, Moment):
            return value
        offset = value.rpartition("/")[2]
        if offset.isdecimal() and value.count("/") <= 1:
            return Moment(offset=int(offset))
        try:
            return Moment(time=utc_milliseconds(value))
        except ValueError:
            self.fail(f"{value!r} is neither an offset nor a time such as 2024-03-01T10:20:30Z", param, ctx)
