"""One event being decided."""

from __future__ import annotations

from triggers.core.commands import Decision, Outcome
from triggers.core.events import SessionEvent
from triggers.core.session import Session


class Step:
    """The session that an event changes, the event's time, and the decision so far."""

    __slots__ = ("_event", "cascade_depth", "command_bytes", "decision", "session", "time")

    def __init__(self, session: Session, event: SessionEvent, outcome: Outcome = Outcome.APPLIED) -> None:
        self.session = session
        self.time = event.time
        self.command_bytes = 0
        self._event = event
        self.cascade_depth = 0
        """How many results in a row led to what this event schedules; 0: it comes from outside."""
        self.decision = Decision(outcome=outcome)

    @property
    def now(self) -> int:
        """When the event came into the log: what timers count from, whatever time its producer gave it."""
        return self._event.recorded or self._event.time

    def note(self, instance: str, status: str) -> None:
        """The instance has taken a status."""
        self.decision.changed.append((instance, status))
