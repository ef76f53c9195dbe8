"""The explanations of operators' requests that a session adopts published rules."""

from __future__ import annotations

from tests.support.memory_session import MemorySession

from triggers.analysis.explain.explanation import Does, Reason
from triggers.analysis.explain.proofs import explain
from triggers.core.events import AdoptionRequested, RulesPublished, TriggerFired


def test_an_operator_lets_a_session_adopt_published_rules_and_a_second_time_nothing_happens() -> None:
    published = RulesPublished(name="order", version=1, configuration=b'{"t_ship": {"after": ["paid"], "run": "ship"}}')
    found = MemorySession({})
    for event in (TriggerFired(trigger="paid"), published, AdoptionRequested(name="order", version=1, actor="jane")):
        found.apply(event)
    adopted = explain(found.uid, found.log, None).events[-1]

    assert [(effect.does, effect.detail) for effect in adopted.effects] == [(Does.BOUND, "version 1 of 'order'")]
    assert adopted.event.what == "jane let the session adopt version 1 of 'order'"

    found.apply(AdoptionRequested(name="order", version=1))

    assert [idle.reason for idle in explain(found.uid, found.log, None).events[-1].idle] == [Reason.HAS_RULES]
