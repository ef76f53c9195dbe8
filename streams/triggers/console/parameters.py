"""Parameters of a request, from its query or its form. A wrong value raises CallError with the parameter's name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TypeVar

from triggers.analysis.backtest.assumptions import parse_stub
from triggers.analysis.check.declared import declared_event
from triggers.analysis.check.rules import Arrivals
from triggers.analysis.check.worlds import Results
from triggers.analysis.time_travel import NOW, Moment, parse_moment
from triggers.analysis.times import duration_ms, point_in_time
from triggers.console.forms import ParameterValues
from triggers.console.questions import BacktestRequest
from triggers.errors import CallError

T = TypeVar("T")

MAX_SAMPLED = 1_000_000
_DAY_MS = 86_400_000
_YES = {"on", "1", "true", "yes"}
_NO = {"", "off", "0", "false", "no"}


def text_of(given: ParameterValues, name: str) -> str:
    """Return the first value of a parameter, unchanged, or an empty text if it is missing."""
    return next(iter(given.get(name, ())), "")


def needed_text(given: ParameterValues, name: str) -> str:
    """Return the first value of a parameter. Raises CallError if it is missing or blank."""
    if not (text := text_of(given, name)).strip():
        raise CallError(f"{name} is missing")
    return text


def lines_of(given: ParameterValues, name: str) -> list[str]:
    """Return the lines of all values of a parameter, without blank lines."""
    lines = (line.strip() for text in given.get(name, ()) for line in text.splitlines())
    return [line for line in lines if line]


def refuse_unknown(given: ParameterValues, *known: str) -> None:
    """Raise CallError for a parameter with another name, because a misspelt filter would not filter."""
    for name in given:
        if name not in known:
            raise CallError(f"there is no parameter {name!r:.100}; known are: {', '.join(known)}")


def moment_of(given: ParameterValues, name: str = "at") -> Moment:
    """Return the moment, an offset or a time, that a parameter names. Without the parameter, it is now."""
    return parsed(given, name, parse_moment, NOW)


def needed_moment(given: ParameterValues, name: str) -> Moment:
    """Return the moment that a parameter names. Raises CallError if it is missing."""
    if not text_of(given, name):
        raise CallError(f"{name} is missing: give an offset or a time such as 2024-03-01T10:20:30Z")
    return moment_of(given, name)


def point_of(given: ParameterValues, name: str) -> int | None:
    """Return a point in time as `times.point_in_time` does, or None if the parameter is missing."""
    return parsed(given, name, point_in_time, None)


def stuck_after(given: ParameterValues) -> int:
    """Return the parameter `stuck_after` in milliseconds. Default: one day."""
    return parsed(given, "stuck_after", duration_ms, _DAY_MS)


def number_of(given: ParameterValues, name: str, default: int | None, maximum: int) -> int | None:
    """Return a number from 1 to `maximum`, or the default. Raises CallError for another one."""
    number = parsed(given, name, int, default)
    if number is not None and not 1 <= number <= maximum:
        raise CallError(f"{name} is {number}; it must be from 1 to {maximum}")
    return number


def flag_of(given: ParameterValues, name: str) -> bool:
    """Return whether a parameter is set, as the box of a form is. Raises CallError for a value that is no flag."""
    text = text_of(given, name).lower()
    if text not in _YES | _NO:
        raise CallError(f"{name} is {text!r:.100}; it must be true or false")
    return text in _YES


def backtest_request_of(given: ParameterValues, rules: bytes) -> BacktestRequest:
    """Return the back-test that the parameters `since`, `sample`, `add`, `reuse` and `stub` (repeatable) ask for."""
    return BacktestRequest(
        rules=rules,
        added=flag_of(given, "add"),
        since=point_of(given, "since"),
        sample=number_of(given, "sample", None, MAX_SAMPLED),
        stubs=dict(map(parse_stub, lines_of(given, "stub"))),
        reuse=flag_of(given, "reuse"),
    )


def arrivals_of(given: ParameterValues) -> Arrivals:
    """Return the arrivals that the parameters `event` (repeatable) and `results` describe."""
    events = Counter(map(declared_event, lines_of(given, "event")))
    return Arrivals(events=events or None, results=parsed(given, "results", _results, Results.AT_ONCE))


def _results(text: str) -> Results:
    if text not in set(Results):
        raise ValueError(f"{text!r} must be {' or '.join(Results)}")
    return Results(text)


def parsed(given: ParameterValues, name: str, parse: Callable[[str], T], default: T) -> T:
    """Return the parsed value of a parameter, or the default if it is missing. Raises CallError."""
    text = text_of(given, name)
    if not text:
        return default
    try:
        return parse(text)
    except (ValueError, OverflowError) as error:
        raise CallError(f"{name}: {error}") from error
