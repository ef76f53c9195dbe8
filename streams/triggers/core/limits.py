"""The limits that a configuration sets, for a session under the reserved name `$limits` and for a task in `timeouts`.

    {"$limits": {"maxCascadeDepth": 50, "sessionTtl": 2592000, "timeouts": {"running": 3600}},
     "t_import": {"after": ["page"], "run": "app.Import", "timeouts": {"scheduled": 600, "running": 60, "attempts": 2}}}

Times are seconds in the configuration and milliseconds in `Limits`. Limits are part of the log rather than settings of
a worker, because two workers with different settings, or an analysis on a laptop, must reach the same decisions.
"""

from __future__ import annotations

from typing import Annotated, Final, TypeVar

import msgspec
from msgspec import Meta, Struct

from triggers.core.session_limits import DEFAULT_ATTEMPTS, DEFAULT_CASCADE_DEPTH, DEFAULT_LIMITS, Limits, Timeouts
from triggers.errors import InvalidConfiguration

T = TypeVar("T")

LIMITS_NAME: Final = "$limits"
"""No task can have this name."""
_MAX_COUNT: Final = 1_000_000

_Seconds = Annotated[float, Meta(gt=0, le=100 * 365 * 86_400)]
_Count = Annotated[int, Meta(ge=1, le=_MAX_COUNT)]


class _Timeouts(Struct, forbid_unknown_fields=True):
    scheduled: _Seconds | None = None
    running: _Seconds | None = None
    attempts: _Count | None = None


class _Limits(Struct, forbid_unknown_fields=True, rename="camel"):
    max_cascade_depth: _Count | None = None
    session_ttl: _Seconds | None = None
    timeouts: _Timeouts | None = None


_decode_limits = msgspec.json.Decoder(_Limits)
_decode_timeouts = msgspec.json.Decoder(_Timeouts | None)


def parse_limits(text: bytes) -> Limits:
    """Decodes the value of `$limits`. Raises InvalidConfiguration."""
    wire = _decoded(_decode_limits, text, repr(LIMITS_NAME), "maxCascadeDepth, sessionTtl, timeouts")
    return Limits(
        max_cascade_depth=wire.max_cascade_depth or DEFAULT_CASCADE_DEPTH,
        session_ttl=_milliseconds(wire.session_ttl),
        timeouts=_timeouts(wire.timeouts),
    )


def parse_timeouts(text: bytes, task: str) -> Timeouts | None:
    """Decodes a task's `timeouts`; returns None if it sets none. Raises InvalidConfiguration."""
    wire = _decoded(_decode_timeouts, text, f"task {task!r}: 'timeouts'", "scheduled, running, attempts")
    return None if wire is None else _timeouts(wire)


def _decoded(decoder: msgspec.json.Decoder[T], text: bytes, whose: str, keys: str) -> T:
    try:
        return decoder.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidConfiguration(f"{whose}: {error}; its keys are {keys}, times are in seconds") from error


def _timeouts(wire: _Timeouts | None) -> Timeouts:
    if wire is None:
        return DEFAULT_LIMITS.timeouts
    return Timeouts(
        scheduled=_milliseconds(wire.scheduled),
        running=_milliseconds(wire.running),
        attempts=wire.attempts or DEFAULT_ATTEMPTS,
    )


def _milliseconds(seconds: float | None) -> int:
    return 0 if seconds is None else max(1, round(seconds * 1000))
