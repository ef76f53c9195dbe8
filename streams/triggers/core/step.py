"""The state of a decision while it is made."""

from __future__ import annotations

from triggers.core.commands import Command, Decision, FireRecord, Outcome
from triggers.core.events import SessionEvent
from triggers.core.state.session import Session


class DecisionBuilder:
    """Collects the effects of one event on a session until the decision is built."""

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
        self.fires: list[FireRecord] = []
        self.command_bytes = 0
        self.cascade_depth = 0
        """Number of results in a row that led to what this event schedules, or 0 if it comes from outside."""
        self._event = event

    @property
    def now(self) -> int:
        """When the event came into the log. Timers count from it, regardless of the time that the producer gave."""
        return self._event.recorded or self._event.time

    def record_status(self, instance: str, status: str) -> None:
        """Adds a status that an instance took."""
        self.changed.append((instance, status))

    def build(self) -> Decision:
        """Builds the decision."""
        return Decision(outcome=self.outcome, commands=self.commands, changed=self.changed, fires=self.fires)
