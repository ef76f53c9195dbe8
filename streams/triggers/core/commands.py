"""The commands with which a decision asks the outside world to act, and the other parts of a decision."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

from msgspec import Struct

QUEUE_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""What the name of a queue looks like. It is a part of a topic's name."""


class RunTask(Struct, frozen=True, kw_only=True, gc=False):
    """A request to run one attempt of an instance. It becomes a record of `<ns>.commands`."""

    session: str
    instance: str
    """Name of the instance, `<task>#<n>`."""
    attempt: int
    """Number of the attempt, counted from 1."""
    run: str
    """Name of the Celery task."""
    kwargs: bytes = b"{}"
    """JSON object, trigger -> kwargs, with `withParams` merged in."""
    using: str | None = None
    """Key of the task runner, or None for the default runner."""
    depth: int = 0
    """Number of replays and retries behind this instance: Celery's `request.retries`."""
    time: int = 0
    """Time of the event that caused the command, in milliseconds since 1970-01-01 UTC."""
    queue: str | None = None
    """Queue that the rule names. The commands of a queue are on a topic of their own."""
    spans: bytes = b""
    """Spans of the events behind it, as `trace_context` joins them. They are not in the record's value."""

    @property
    def id(self) -> str:
        """The task id. It is stable: a command that is delivered twice has the same id both times."""
        return f"{self.session}/{self.instance}/{self.attempt}"


class SetTimer(Struct, frozen=True, kw_only=True, gc=False):
    """A request to publish `TimerFired(instance, attempt, due)` at `due`.

    By then a cooldown is over, an attempt is overdue or a session is idle.
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
