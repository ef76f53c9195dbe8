"""Values of a request, of its query or of its form. What is wrong with one is told as CallError that names it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from aiohttp import web

from triggers.analysis.backtest.assumptions import parse_stub
from triggers.analysis.check.declared import declared_event
from triggers.analysis.check.rules import Arrivals
from triggers.analysis.check.worlds import Results
from triggers.analysis.time_travel import NOW, Moment, parse_moment
from triggers.analysis.times import duration_ms, point_in_time
from triggers.console.questions import Trial
from triggers.errors import CallError

T = TypeVar("T")

Given = Mapping[str, Sequence[str]]
"""Name -> what was given for it, in order."""

MOST_SAMPLED = 1_000_000
_DAY_MS = 86_400_000


def query_of(request: web.Request) -> Given:
    """What stands in the URL."""
    return {name: request.query.getall(name) for name in request.query}


async def form_of(request: web.Request) -> Given:
    """The fields of a form that are text."""
    form = await request.post()
    return {name: [value for value in form.getall(name) if isinstance(value, str)] for name in form}


def uid_of(request: web.Request) -> str:
    """The session of the path."""
    return request.match_info["uid"]


def text_of(given: Given, name: str) -> str:
    """As it was given; empty: it was not."""
    return next(iter(given.get(name, ())), "")


def needed_text(given: Given, name: str) -> str:
    """The same, which must be given."""
    if not (found := text_of(given, name)).strip():
        raise CallError(f"{name} is missing")
    return found


def lines_of(given: Given, name: str) -> list[str]:
    """All that was given, and each line of it, that is not empty."""
    found = (line.strip() for text in given.get(name, ()) for line in text.splitlines())
    return [line for line in found if line]


def moment_of(given: Given, name: str = "at") -> Moment:
    """An offset or a time; not given: now."""
    return _parsed(given, name, parse_moment, NOW)


def needed_moment(given: Given, name: str) -> Moment:
    """The same, which must be given."""
    if not text_of(given, name):
        raise CallError(f"{name} is missing: an offset or a time such as 2024-03-01T10:20:30Z")
    return moment_of(given, name)


def point_of(given: Given, name: str) -> int | None:
    """See `times.point_in_time`."""
    return _parsed(given, name, point_in_time, None)


def stuck_after(given: Given) -> int:
    """Milliseconds; a day unless it is given."""
    return _parsed(given, "stuck_after", duration_ms, _DAY_MS)


def number_of(given: Given, name: str, default: int | None, most: int) -> int | None:
    """From 1 to `most`."""
    found = _parsed(given, name, int, default)
    if found is not None and not 1 <= found <= most:
        raise CallError(f"{name} is {found}, it must be from 1 to {most}")
    return found


def flag_of(given: Given, name: str) -> bool:
    """Whether it is given, and neither 0 nor false."""
    return text_of(given, name).lower() not in {"", "0", "false"}


def trial_of(given: Given, rules: bytes) -> Trial:
    """`since`, `sample`, `add`, `reuse`, and `stub` as often as needed."""
    return Trial(
        rules=rules,
        added=flag_of(given, "add"),
        since=point_of(given, "since"),
        sample=number_of(given, "sample", None, MOST_SAMPLED),
        stubs=dict(map(parse_stub, lines_of(given, "stub"))),
        reuse=flag_of(given, "reuse"),
    )


def arrivals_of(given: Given) -> Arrivals:
    """`event` as often as needed, and `results`."""
    events = Counter(map(declared_event, lines_of(given, "event")))
    return Arrivals(events=events or None, results=_parsed(given, "results", _results, Results.AT_ONCE))


def _results(text: str) -> Results:
    if text not in set(Results):
        raise ValueError(f"{text!r} must be {' or '.join(Results)}")
    return Results(text)


def _parsed(given: Given, name: str, parse: Callable[[str], T], default: T) -> T:
    text = text_of(given, name)
    if not text:
        return default
    try:
        return parse(text)
    except (ValueError, OverflowError) as error:
        raise CallError(f"{name}: {error}") from error
