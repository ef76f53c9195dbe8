"""The decision feed tells hooks and audits what each event did. It is written in the batch's transaction."""

from __future__ import annotations

from triggers.agent.turns.decision_traces import TracedDecision
from triggers.codec import decision_record, encode_decision
from triggers.core.commands import CHANGING
from triggers.core.decision import Decision
from triggers.core.events import Event
from triggers.core.state.session import Session
from triggers.store.batch import Output


class DecisionFeed:
    """Encodes the records of `<ns>.decisions`."""

    def __init__(self, topic: str) -> None:
        self._topic = topic

    def encode_outputs(
        self, session: Session, partition: int, event: Event, decision: Decision, traced: TracedDecision | None
    ) -> list[Output]:
        """Returns the decision's record, or no record if the event changed nothing. Hooks continue its trace."""
        if decision.outcome not in CHANGING:
            return []
        record = decision_record(session.uid, partition, event, decision, session.plan.manager)
        headers = None if traced is None else traced.headers
        return [Output(self._topic, session.uid.encode(), encode_decision(record), -1, headers)]
