"""The commands with which a decision asks the outside world to act, and the other parts of a decision."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

from msgspec import Struct

from triggers.core.run_task import RunTask as RunTask  # noqa: PLC0414  # mypy asks for an alias if others import it from here

QUEUE_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""The form of the name of a queue. It is a part of a topic's name."""


class SetTimer(Struct, frozen=True, kw_only=True, gc=False):
    """A request to publish `TimerFired(instance, attempt, due)` at `due`.

    By then a cooldown is over, an attempt is overdue, a session is idle, or what `kind` says has come.
    """

    session: str
    instance: str
    """Name of the instance, or empty for the session's own timer."""
    attempt: int
    due: int
    """Due time in milliseconds since 1970-01-01 UTC."""
    kind: str = ""
    """Kind of a timer of edition 2."""


class CancelTask(Struct, frozen=True, kw_only=True, gc=False):
    """Withdraws an attempt."""

    session: str
    instance: str
    attempt: int
    terminate: bool = False
    """True to end it even while it runs."""
    queue: str | None = None
    """Queue of the attempt's `RunTask`."""

    @property
    def id(self) -> str:
        """The id of the attempt's `RunTask`."""
        return f"{self.session}/{self.instance}/{self.attempt}"


class ForwardTrigger(Struct, frozen=True, kw_only=True, gc=False):
    """Fires a trigger in another session."""

    session: str
    trigger: str
    kwargs: bytes
    id: str


Command = RunTask | SetTimer


class Outcome(StrEnum):
    """The effect of an event on its session."""

    APPLIED = "applied"
    UNUSED = "unused"
    """No rule of the session uses the trigger; only its latest kwargs were stored."""
    STOPPED = "stopped"
    """The event was applied, but a cascade went deeper than `maxCascadeDepth`: the instances that it would have
    scheduled have failed."""
    DUPLICATE = "duplicate"
    """The event's id is in the dedupe window; nothing changed."""
    STALE = "stale"
    """The event is a result or a timer of an attempt that is closed or superseded, or whose session is deleted; nothing
    changed and nothing cascades."""
    DELETED = "deleted"
    """The session is deleted; the rows of a large session are removed in several steps."""


CHANGING = frozenset({Outcome.APPLIED, Outcome.UNUSED, Outcome.STOPPED, Outcome.DELETED})
"""Outcomes of events that changed the session."""


class BoundRules(Struct, frozen=True, gc=False):
    """The published rules that a session has taken."""

    name: str
    version: int
