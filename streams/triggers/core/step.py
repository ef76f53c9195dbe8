"""One event being decided."""

from __future__ import annotations

from triggers.core.commands import Decision, Outcome
from triggers.core.instance import Instance, instance_name
from triggers.core.session import Session


class Step:
    """The session that an event changes, the event's time, and the decision so far."""

    __slots__ = ("cascade_depth", "decision", "session", "time")

    def __init__(self, session: Session, time: int, outcome: Outcome = Outcome.APPLIED) -> None:
        self.session = session
        self.time = time
        self.cascade_depth = 0
        """How many results in a row led to what this event schedules; 0: it comes from outside."""
        self.decision = Decision(outcome=outcome)

    def note(self, task: str, number: int, instance: Instance) -> None:
        """The instance has taken a status."""
        self.decision.changed.append((instance_name(task, number), instance.status))
