"""Why the instances of a session of edition 2 exist and ended, as pictures of it show."""

from __future__ import annotations

import json

import pytest
from tests.support.edition2.engine_driver import EngineDriver
from tests.support.edition2.histories import CURATED, RANDOM, histories
from tests.support.edition2.state import Json
from tests.support.memory_session import MemorySession

from triggers.analysis.graph.cause import By
from triggers.analysis.graph.causes import CausedInstance, causes_of, picture_of_session
from triggers.analysis.graph.dot import dot
from triggers.analysis.graph.mermaid import mermaid
from triggers.analysis.graph.picture import Line, Shape
from triggers.analysis.graph.svg import svg
from triggers.core.events import (
    ConfigurationUpdated,
    Event,
    RulesPublished,
    TaskFailed,
    TaskFinished,
    TimerFired,
    TriggerFired,
)
from triggers.core.state.rows import due_timers

LATER = 1 << 60

RULES: Json = {
    "$edition": 2,
    "t_charge": {
        "after": ["order", {"any": ["card", "invoice"]}],
        "run": "app.charge",
        "retry": {"attempts": 2, "wait": "1s", "jitter": 0},
    },
    "t_ship": {"after": ["t_charge"], "cancelOn": ["withdrawn"], "delay": "10s", "run": "app.ship"},
    "t_match": {"after": ["order", "never"], "deadline": "5s", "run": "app.match"},
    "t_remind": {"after": ["order"], "unless": ["card"], "delay": "1m", "run": "app.remind"},
    "t_refund": {"after": ["t_match:expired", "t_ship:cancelled"], "run": "app.refund"},
}


def run_due(session: MemorySession) -> None:
    timer = next(due_timers(session.rows, LATER))
    event = TimerFired(instance=timer.instance, attempt=timer.attempt, due=timer.due, kind=timer.kind)
    session.apply_at(event, timer.due)


@pytest.fixture
def session() -> MemorySession:
    found = MemorySession(RULES)
    found.fire("order")
    found.fire("card")
    found.apply(TaskFailed(instance="t_charge#0", attempt=1, exception_type="app.Away"))
    run_due(found)
    found.apply(TaskFinished(instance="t_charge#0", attempt=2))
    run_due(found)
    found.fire("withdrawn")
    return found


def caused(session: MemorySession) -> dict[str, CausedInstance]:
    return {one.name: one for one in causes_of(session.uid, session.log)}


def causes(one: CausedInstance) -> list[tuple[By, str | None, str | None]]:
    return [(cause.by, cause.trigger, cause.instance) for cause in one.causes]


def test_an_instance_comes_from_what_it_holds_and_from_its_timers(session: MemorySession) -> None:
    assert causes(caused(session)["t_charge#0"]) == [
        (By.APPLICATION, "order", None),
        (By.APPLICATION, "card", None),
        (By.TIMER, None, "t_charge#0"),
    ]


def test_what_stopped_an_instance_is_a_cause(session: MemorySession) -> None:
    found = caused(session)

    assert [(cause.trigger, cause.stops) for cause in found["t_match#0"].causes] == [("order", ""), (None, "expired")]
    assert [(cause.trigger, cause.stops) for cause in found["t_ship#0"].causes] == [
        ("t_charge", ""),
        ("withdrawn", "cancelled"),
    ]
    assert [(cause.trigger, cause.unless) for cause in found["t_remind#0"].causes] == [("order", False), ("card", True)]


def test_an_outcome_comes_from_the_instance_that_it_is_about(session: MemorySession) -> None:
    refund = caused(session)["t_refund#0"]

    assert [(cause.instance, cause.outcome) for cause in refund.causes] == [
        ("t_match#0", "expired"),
        ("t_ship#0", "cancelled"),
    ]
    assert [root.what for root in refund.roots] == ["order fired", "card fired", "withdrawn fired"]


def test_a_session_is_drawn_with_its_timers_and_stops(session: MemorySession) -> None:
    drawn = picture_of_session(causes_of(session.uid, session.log), session.uid)

    assert [node.lines[0] for node in drawn.nodes if node.shape is Shape.TIMER] == [
        "the retry timer of t_charge#0 was due",
        "the deadline timer of t_match#0 was due",
    ]
    labels = {(edge.target, edge.line, edge.label) for edge in drawn.edges}
    assert {
        ("t_match#0", Line.CANCEL, "expired"),
        ("t_ship#0", Line.CANCEL, "cancelled"),
        ("t_remind#0", Line.UNLESS, "unless"),
        ("t_refund#0", Line.AFTER, "cancelled"),
    } <= labels


@pytest.mark.parametrize(("file", "every"), [(CURATED, 1), (RANDOM, 9)])
def test_each_cause_of_recorded_histories_fired_the_trigger_that_it_names(file: str, every: int) -> None:
    seen = 0
    for history in histories(file, every):
        driver = EngineDriver()
        for step in history["steps"]:
            driver.apply({key: value for key, value in step.items() if key != "expect"})
        for uid in dict.fromkeys(uid for uid, _ in driver.log if uid):
            seen += check_causes(uid, [event for session, event in driver.log if session in {uid, ""}], history["id"])
    assert seen > 100


def finalizers(log: list[Event]) -> set[str]:
    """What the engine may have fired after an event of an application."""
    texts = [event.configuration for event in log if isinstance(event, ConfigurationUpdated | RulesPublished)]
    blocks = [json.loads(text).get("$session") or {} for text in texts]
    return {block["finalize"] for block in blocks if block.get("finalize")}


def check_causes(uid: str, log: list[Event], history: str) -> int:
    by_offset = {event.position: event for event in log}
    found = causes_of(uid, log)
    names = {one.name for one in found}
    for cause in (cause for one in found for cause in one.causes):
        event = by_offset[cause.event.offset]
        if cause.by is By.APPLICATION and cause.trigger is not None and isinstance(event, TriggerFired):
            assert cause.trigger in {event.trigger, *finalizers(log)}, history
        assert cause.instance is None or cause.instance in names, history
    for language in (mermaid, dot, svg):
        assert language(picture_of_session(found, uid))
    return sum(len(one.causes) for one in found)
