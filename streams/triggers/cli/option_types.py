"""Types of options and arguments: lengths of time, moments, cursors, records, files to read, JSON."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

import click
import msgspec

from triggers.analysis.input_file import STANDARD_INPUT, InputFile, input_file_of
from triggers.analysis.time_travel import Moment, parse_moment
from triggers.analysis.times import duration_ms, point_in_time
from triggers.client.repair_checks import parse_replacement_kwargs
from triggers.codec import encode_key
from triggers.codec.json_payloads import check_payload
from triggers.core.published_rules import MAX_NAME_CHARACTERS
from triggers.errors import CallError, Undecodable
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


@dataclass(frozen=True)
class ListPosition:
    """Where a list begins, or continues after the previous page."""

    asked_at: int
    """The time from which durations of the first page count back, in milliseconds since 1970."""
    cursor: str | None = None
    """The cursor of the previous page. It is valid only for the query of that page."""

    def after(self, cursor: str | None) -> str | None:
        """Returns what `--cursor` must be for the next page, if there is one."""
        return None if cursor is None else f"{self.asked_at}.{cursor}"


class ListPositionType(click.ParamType):
    """The position after a page of a list, as the page printed it."""

    name = "CURSOR"

    def convert(
        self, value: str | ListPosition, param: click.Parameter | None, ctx: click.Context | None
    ) -> ListPosition:
        if isinstance(value, ListPosition):
            return value
        asked_at, _, cursor = value.partition(".")
        if not (asked_at.isascii() and asked_at.isdecimal() and cursor):
            self.fail(f"{value!r:.80} is no cursor; pass the one that the previous page printed", param, ctx)
        return ListPosition(int(asked_at), cursor)


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


class Input(click.ParamType):
    """A file that is read once: a path, a pipe, or `-` for standard input. It must exist."""

    name = "FILE"

    def convert(self, value: str | InputFile, param: click.Parameter | None, ctx: click.Context | None) -> InputFile:
        if isinstance(value, InputFile):
            return value
        path = os.fsdecode(_EXISTING.convert(value, param, ctx))
        if ctx is not None and not _is_first_use(path, ctx):
            self.fail(f"{value!r} is given twice, but a pipe can be read only once; write it to a file", param, ctx)
        return InputFile(path)


_EXISTING = click.Path(exists=True, dir_okay=False, allow_dash=True)
_NAMES_OF_STANDARD_INPUT = {STANDARD_INPUT, "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"}


def _is_first_use(path: str, ctx: click.Context) -> bool:
    """Return whether this is the first parameter of the command that reads this pipe or standard input."""
    if path in _NAMES_OF_STANDARD_INPUT:
        pipe: object = STANDARD_INPUT
    elif stat.S_ISFIFO((status := Path(path).stat()).st_mode):
        pipe = status.st_dev, status.st_ino
    else:
        return True
    pipes: set[object] = ctx.meta.setdefault(f"{__name__}.pipes", set())
    is_first = pipe not in pipes
    pipes.add(pipe)
    return is_first


class JsonObject(click.ParamType):
    """A JSON object as its verbatim bytes. A value that does not begin with `{` is the name of a file, or `-`."""

    name = "JSON|[@]FILE"

    def convert(self, value: str | bytes, param: click.Parameter | None, ctx: click.Context | None) -> bytes:
        if isinstance(value, bytes):
            return value
        try:
            text = self._read(value, param, ctx).strip()
            check_payload(text, "the value")
        except (ValueError, Undecodable, msgspec.DecodeError) as error:
            self.fail(str(error), param, ctx)
        return text

    def _read(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> bytes:
        if value.lstrip().startswith("{"):
            return value.encode()
        path = value.removeprefix("@")
        if input_file_of(path) is None:
            self.fail(f"{value!r} is neither a JSON object nor a file", param, ctx)
        return Input().convert(path, param, ctx).read()


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


class SessionUid(click.ParamType):
    """The UID of a session, which must fit into the key of a record."""

    name = "SESSION"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not value and param is not None and param.default == "":
            return value  # the command says that it is missing
        try:
            encode_key(value)
        except CallError as error:
            self.fail(str(error), param, ctx)
        return value


class RulesName(click.ParamType):
    """The name of published rules."""

    name = "NAME"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not 0 < len(value) <= MAX_NAME_CHARACTERS:
            self.fail(f"{value!r:.80} must have 1 to {MAX_NAME_CHARACTERS} characters, not {len(value)}", param, ctx)
        return value


class KwargsByTrigger(JsonObject):
    """A JSON object whose values are objects, too: the kwargs of each trigger."""

    def convert(self, value: str | bytes, param: click.Parameter | None, ctx: click.Context | None) -> bytes:
        text = super().convert(value, param, ctx)
        parse_replacement_kwargs(text)
        return text
