"""Collects what an event causes in edition 2 besides commands: outcome triggers, cancels and forwards."""

from __future__ import annotations

from collections import deque

from msgspec import Struct

from triggers.core.commands import CancelTask, ForwardTrigger
from triggers.core.conditions.holding import Occurrence, Surroundings
from triggers.core.contribution import Contribution
from triggers.core.edition_2_plan import Edition2Plan
from triggers.core.state.instance import Payload


class QueuedOutcome(Struct, frozen=True, gc=False):
    """An instance has taken a status that fires `<task>:<status>`."""

    task: str
    number: int
    status: str
    depth: int
    chain: int
    """The number of consecutive outcome triggers that led to it within the step."""


class FollowUps:
    """The collected effects of one step of a session with rules of edition 2."""

    __slots__ = (
        "cancels",
        "chain",
        "event_id",
        "forwards",
        "occurrence",
        "outcomes",
        "payloads",
        "rules",
        "source",
        "surroundings",
    )

    def __init__(self, rules: Edition2Plan, uid: str, rules_name: str | None) -> None:
        self.rules = rules
        self.outcomes: deque[QueuedOutcome] = deque()
        self.cancels: list[CancelTask] = []
        self.forwards: list[ForwardTrigger] = []
        self.surroundings = Surroundings({"uid": uid, "rules": rules_name})
        self.occurrence = Occurrence("", Contribution(b"{}", 0, 0))
        """The trigger that is being fired."""
        self.chain = 0
        self.event_id: str | None = None
        self.source: str | None = None
        """Belongs to the event itself; what the event causes has neither."""
        self.payloads: dict[bytes, Payload] = {}
        """What several instances receive; it is stored once."""
