"""`FollowUps`: what an event causes in edition 2 besides commands, such as outcome triggers and `$forward`s."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from triggers.core.commands import CancelTask, ForwardTrigger
from triggers.core.conditions.evaluator import Evaluator, Occurrence
from triggers.core.contribution import Contribution
from triggers.core.edition_2_plan import Edition2Plan
from triggers.core.state.instance import Payload

_NO_OCCURRENCE: Final = Occurrence("", Contribution(b"{}", 0, 0))


@dataclass(frozen=True, slots=True)
class QueuedOutcome:
    """An instance has taken a status that fires `<task>:<status>`."""

    task: str
    number: int
    status: str
    depth: int
    chain: int
    """Number of consecutive outcome triggers of the same event that led to it."""


class FollowUps:
    """The effects of one event on a session of edition 2, while they are collected."""

    __slots__ = (
        "cancels",
        "chain",
        "evaluator",
        "event_id",
        "forwards",
        "occurrence",
        "outcomes",
        "payloads",
        "plan",
        "source",
    )

    def __init__(self, plan: Edition2Plan, variables: Mapping[str, object]) -> None:
        """`variables` is the variable `session` of expressions."""
        self.plan = plan
        self.outcomes: deque[QueuedOutcome] = deque()
        self.cancels: list[CancelTask] = []
        self.forwards: list[ForwardTrigger] = []
        self.evaluator = Evaluator(variables)
        self.occurrence = _NO_OCCURRENCE
        """The trigger that is being fired."""
        self.chain = 0
        """Number of consecutive outcome triggers that led to it."""
        self.event_id: str | None = None
        self.source: str | None = None
        """The id and the source are those of the event. Triggers that the event causes have neither."""
        self.payloads: dict[bytes, Payload] = {}
        """Payloads that several instances receive, so that each is stored only once."""
