"""Values of a request. What is wrong with one is told as CallError that names it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from aiohttp import web

from triggers.analysis.time_travel import NOW, Moment, parse_moment
from triggers.analysis.times import duration_ms, point_in_time
from triggers.errors import CallError

T = TypeVar("T")

_DAY_MS = 86_400_000


def uid_of(request: web.Request) -> str:
    """The session of the path."""
    return request.match_info["uid"]


def moment_of(request: web.Request, name: str = "at") -> Moment:
    """An offset or a time; not given: now."""
    return _parsed(request, name, parse_moment, NOW)


def needed_moment(request: web.Request, name: str) -> Moment:
    """The same, which must be given."""
    if not request.query.get(name):
        raise CallError(f"{name} is missing: an offset or a time such as 2024-03-01T10:20:30Z")
    return moment_of(request, name)


def point_of(request: web.Request, name: str) -> int | None:
    """See `times.point_in_time`."""
    return _parsed(request, name, point_in_time, None)


def stuck_after(request: web.Request) -> int:
    """Milliseconds; a day unless it is given."""
    return _parsed(request, "stuck_after", duration_ms, _DAY_MS)


def number_of(request: web.Request, name: str, default: int | None, most: int) -> int | None:
    """From 1 to `most`."""
    found = _parsed(request, name, int, default)
    if found is not None and not 1 <= found <= most:
        raise CallError(f"{name} is {found}, it must be from 1 to {most}")
    return found


def flag_of(request: web.Request, name: str) -> bool:
    """Whether it is given, and neither 0 nor false."""
    return request.query.get(name, "0").lower() not in {"0", "false", ""}


def _parsed(request: web.Request, name: str, parse: Callable[[str], T], default: T) -> T:
    text = request.query.get(name, "")
    if not text:
        return default
    try:
        return parse(text)
    except (ValueError, OverflowError) as error:
        raise CallError(f"{name}: {error}") from error
