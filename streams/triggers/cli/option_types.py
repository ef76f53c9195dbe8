"""Types of options and arguments: lengths of time, moments, records, JSON."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from triggers.analysis.time_travel import Moment, parse_moment
from triggers.analysis.times import duration_ms, point_in_time
from triggers.codec.json_payloads import check_payload
from triggers.errors import Undecodable
from triggers.kafka.sender import Coordinates


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


class JsonObject(click.ParamType):
    """A JSON object as its verbatim bytes. A value that does not begin with `{` is the name of a file."""

    name = "JSON|[@]FILE"

    def convert(self, value: str | bytes, param: click.Parameter | None, ctx: click.Context | None) -> bytes:
        if isinstance(value, bytes):
            return value
        try:
            text = _bytes(value).strip()
            check_payload(text, "the value")
        except OSError as error:
            self.fail(f"{value!r} is neither a JSON object nor a file ({error.strerror})", param, ctx)
        except (ValueError, Undecodable, msgspec.DecodeError) as error:
            self.fail(str(error), param, ctx)
        return text


def _bytes(value: str) -> bytes:
    return value.encode() if value.lstrip().startswith("{") else Path(value.removeprefix("@")).read_bytes()


class CoordinatesType(click.ParamType):
    """The coordinates of a record in its topic."""

    name = "PARTITION/OFFSET"

    def convert(
        self, value: str | Coordinates, param: click.Parameter | None, ctx: click.Context | None
    ) -> Coordinates:
        if isinstance(value, Coordinates):
            return value
        partition, _, offset = value.partition("/")
        if not (partition.isdecimal() and offset.isdecimal()):
            self.fail(f"{value!r} must be <partition>/<offset>, such as 3/17", param, ctx)
        return Coordinates(int(partition), int(offset))
