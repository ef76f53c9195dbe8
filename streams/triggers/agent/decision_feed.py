"""The decision feed: what each event did, for hooks and audits, in the transaction of the batch."""

from __future__ import annotations

from triggers.agent.records import Output
from triggers.codec import describe, encode_decision
from triggers.core.commands import CHANGING, Decision
from triggers.core.events import Event
from triggers.core.state.session import Session


class DecisionFeed:
    """Makes the records of `<ns>.decisions`."""

    def __init__(self, topic: str) -> None:
        self._topic = topic

    def encode_outputs(self, session: Session, partition: int, event: Event, decision: Decision) -> list[Output]:
        """The decision's record; none if the event changed nothing."""
        if decision.outcome not in CHANGING:
            return []
        record = describe(session.uid, partition, event, decision, session.plan.manager)
        return [Output(self._topic, session.uid.encode(), encode_decision(record))]
