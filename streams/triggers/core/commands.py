"""What a decision asks the outside world to do, and the decision itself."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class RunTask(Struct, frozen=True, kw_only=True, gc=False):
    """Run one attempt of an instance: a record of `<ns>.commands`."""

    session: str
    instance: str
    """`<task>#<n>`."""
    attempt: int
    """From 1; grows when the same instance is issued again."""
    run: str
    """Name of the Celery task."""
    kwargs: bytes = b"{}"
    """JSON object, trigger -> kwargs, with `withParams` merged in."""
    using: str | None = None
    """Key of a task runner; None: the default one."""
    depth: int = 0
    """Number of replays and retries behind this instance: Celery's `request.retries`."""
    time: int = 0
    """Milliseconds: the time of the event that caused it."""

    @property
    def id(self) -> str:
        """The stable task id: the same command always has the same one."""
        return f"{self.session}/{self.instance}/{self.attempt}"


class SetTimer(Struct, frozen=True, kw_only=True, gc=False):
    """Fire `TimerFired(instance, attempt, due)` at `due`: a cooldown is over, an attempt overdue, a session idle."""

    session: str
    instance: str
    """Empty: the session's own timer."""
    attempt: int
    due: int
    """Milliseconds since 1970-01-01 UTC."""


Command = RunTask | SetTimer


class Outcome(StrEnum):
    """What an event did."""

    APPLIED = "applied"
    UNUSED = "unused"
    """No rule of the session uses the trigger; only its latest kwargs were noted."""
    STOPPED = "stopped"
    """Applied, but a cascade went deeper than `maxCascadeDepth`: what it would have scheduled has failed."""
    DUPLICATE = "duplicate"
    """The event's id was seen before in the dedupe window; nothing changed."""
    STALE = "stale"
    """A result or timer of an attempt that has its result, is superseded, or whose session is deleted; nothing changed,
    nothing cascades."""
    DELETED = "deleted"
    """The session is deleted; the rows of a large one go in several steps."""


CHANGING = frozenset({Outcome.APPLIED, Outcome.UNUSED, Outcome.STOPPED, Outcome.DELETED})
"""Outcomes of events that did something."""


class Fire(Struct, frozen=True, gc=False):
    """One trigger that fired within a decision: the event's own, or a cascade."""

    trigger: str
    ready: tuple[str, ...]
    """Instances that it scheduled, in configuration order of their tasks, then in creation order."""


class Decision(Struct, kw_only=True, gc=False):
    """What one event did to its session."""

    outcome: Outcome
    commands: list[Command] = []
    """In the order in which they are to be issued."""
    changed: list[tuple[str, str]] = []
    """(instance, status) of every status that an instance took, in order; its last one is the one it has now."""
    fires: list[Fire] = []
