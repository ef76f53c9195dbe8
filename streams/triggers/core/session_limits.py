"""The limits of a session and of its attempts. Times are in milliseconds.

The classes are plain data classes because every event reads their fields: in compiled code such a read is thirty times
as fast as that of a field of a msgspec struct.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

DEFAULT_CASCADE_DEPTH: Final = 1000
DEFAULT_ATTEMPTS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Times for which an attempt may be `scheduled` and `running`; 0 means no limit."""

    scheduled: int = 0
    running: int = 0
    attempts: int = DEFAULT_ATTEMPTS
    """Maximum number of attempts. When the last one is overdue, the instance fails."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of a session."""

    max_cascade_depth: int = DEFAULT_CASCADE_DEPTH
    """Maximum number of results in a row without an event from outside."""
    session_ttl: int = 0
    """Time without an event after which the session is deleted, or 0 to keep it forever."""
    timeouts: Timeouts = Timeouts()
    """Timeouts of tasks that do not set any."""


DEFAULT_LIMITS: Final = Limits()
