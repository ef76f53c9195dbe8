"""`DecisionBuilder`: a decision while it is made."""

from __future__ import annotations

from mypy_extensions import mypyc_attr

from triggers.core.commands import Command, Outcome
from triggers.core.decision import Decision, FireRecord
from triggers.core.events import SessionEvent
from triggers.core.follow_ups import FollowUps
from triggers.core.state.session import Session
from triggers.core.trace_context import SAMPLED


@mypyc_attr(acyclic=True, free_list_len=1)
class DecisionBuilder:
    """Collects the effects of one event on a session until the decision is built."""

    __slots__ = (
        "cascade_depth",
        "changed",
        "command_bytes",
        "commands",
        "fires",
        "follow",
        "outcome",
        "session",
        "span",
        "time",
    )

    def __init__(self, session: Session, event: SessionEvent, outcome: Outcome = Outcome.APPLIED) -> None:
        self.session = session
        self.time = session.time
        self.outcome = outcome
        self.commands: list[Command] = []
        self.changed: list[tuple[str, str]] = []
        self.fires: list[FireRecord] = []
        self.command_bytes = 0
        self.cascade_depth = 0
        """Number of results in a row that led to what this event schedules, or 0 if it comes from outside."""
        trace = event.trace
        self.span = b"" if trace is None or not trace.flags & SAMPLED else trace.span
        """The span of the event, or empty if its trace is not sampled."""
        plan = session.plan.edition_2
        self.follow = None if plan is None else FollowUps(plan, session.variables())
        """The effects of the event besides commands in edition 2, or None in edition 1."""

    @property
    def is_edition_2(self) -> bool:
        """True if the session's rules are of edition 2."""
        return self.follow is not None

    @property
    def now(self) -> int:
        """When the event came into the log. Timers count from it, regardless of the time that the producer gave.

        In edition 2 it is the session's clock, which never runs backwards.
        """
        return self.session.clock if self.is_edition_2 else self.session.recorded

    @property
    def position(self) -> int:
        """The event's position in the log."""
        return self.session.position

    def record_status(self, instance: str, status: str) -> None:
        """Adds a status that an instance got."""
        self.changed.append((instance, status))

    def build(self) -> Decision:
        """Returns the decision."""
        if (follow := self.follow) is not None:
            return Decision(
                outcome=self.outcome,
                commands=self.commands,
                changed=self.changed,
                fires=self.fires,
                cancels=follow.cancels,
                forwards=follow.forwards,
                failures=follow.evaluator.failures,
            )
        return Decision(outcome=self.outcome, commands=self.commands, changed=self.changed, fires=self.fires)
