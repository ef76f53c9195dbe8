"""One event being decided."""

from __future__ import annotations

from triggers.core.commands import Command, Decision, Fire, Outcome
from triggers.core.events import SessionEvent
from triggers.core.session import Session


class Step:
    """The session that an event changes, the event's time, and what is decided so far."""

    __slots__ = (
        "_event",
        "cascade_depth",
        "changed",
        "command_bytes",
        "commands",
        "fires",
        "outcome",
        "session",
        "time",
    )

    def __init__(self, session: Session, event: SessionEvent, outcome: Outcome = Outcome.APPLIED) -> None:
        self.session = session
        self.time = event.time
        self.outcome = outcome
        self.commands: list[Command] = []
        self.changed: list[tuple[str, str]] = []
        self.fires: list[Fire] = []
        self.command_bytes = 0
        self.cascade_depth = 0
        """How many results in a row led to what this event schedules; 0: it comes from outside."""
        self._event = event

    @property
    def now(self) -> int:
        """When the event came into the log: what timers count from, whatever time its producer gave it."""
        return self._event.recorded or self._event.time

    def note(self, instance: str, status: str) -> None:
        """The instance has taken a status."""
        self.changed.append((instance, status))

    def decision(self) -> Decision:
        """All of it."""
        return Decision(outcome=self.outcome, commands=self.commands, changed=self.changed, fires=self.fires)
