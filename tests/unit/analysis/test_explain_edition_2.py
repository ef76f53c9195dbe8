"""The explanations of sessions with rules of edition 2."""

from __future__ import annotations

import msgspec
from tests.support.edition2.state import Json
from tests.support.memory_session import MemorySession

from triggers.analysis.event_log import GroupedLog
from triggers.analysis.explain.explanation import (
    Explanation,
    InstanceProof,
    LeafReaction,
    LeafVerdict,
    Outlook,
    Reason,
)
from triggers.analysis.explain.explanation_text import explanation_lines
from triggers.analysis.explain.proofs import explain
from triggers.analysis.stats.statistics import compute_statistics
from triggers.analysis.verify.capsules import capture
from triggers.console.session_page import session_page
from triggers.core.events import Event, RulesPublished, TaskFailed, TaskStarted, TimerFired, TriggerFired

ORDERS: Json = {
    "$edition": 2,
    "t_kyc": {
        "after": [{"atLeast": 2, "of": ["passport", "idCard", {"trigger": "bill", "when": "kwargs.age < 3"}]}],
        "run": "app.kyc",
        "deadline": "1h",
    },
    "t_remind": {"after": ["ordered"], "unless": ["paid"], "delay": "15m", "run": "app.remind"},
    "t_batch": {
        "andEvery": {"trigger": "row", "count": 3},
        "run": "app.batch",
        "retry": {"attempts": 2, "jitter": 0},
        "cancelOn": ["stop"],
    },
    "t_match": {
        "andEvery": "ordered",
        "after": [{"trigger": "shipped", "when": "kwargs.id == on.ordered.id"}],
        "run": "app.match",
    },
}


def session() -> MemorySession:
    return MemorySession(ORDERS)


def explained(found: MemorySession, task: str | None = None) -> Explanation:
    return explain(found.uid, found.log, task)


def instance(found: MemorySession, task: str, number: int = 0) -> InstanceProof:
    return explained(found, task).tasks[0].instances[number]


def last_verdicts(found: MemorySession) -> list[LeafVerdict]:
    return explained(found).events[-1].leaves


def text_of(found: MemorySession) -> str:
    return "\n".join(explanation_lines(explained(found)))


def test_a_leaf_refuses_an_event_with_the_values_that_its_when_reads() -> None:
    found = session()
    found.fire("bill", age=5, name="unread")

    (verdict,) = last_verdicts(found)

    assert (verdict.task, verdict.directive, verdict.verdict) == ("t_kyc", "after", LeafReaction.REFUSED)
    assert (verdict.when, verdict.values["kwargs"]["age"]) == ("kwargs.age < 3", 5)
    assert [idle.reason for idle in explained(found).events[-1].idle] == [Reason.NOT_ACCEPTED]
    assert "after of t_kyc refuses bill: kwargs.age < 3 is false with kwargs = " in text_of(found)


def test_an_expression_that_cannot_be_evaluated_is_reported_with_its_reason() -> None:
    found = session()
    found.fire("bill")

    (verdict,) = last_verdicts(found)

    assert verdict.verdict is LeafReaction.FAILED
    assert verdict.why.startswith("kwargs.age < 3: ")


def test_alternatives_are_reported_with_the_number_that_is_missing() -> None:
    found = session()
    found.fire("passport")

    proof = instance(found, "t_kyc")

    assert proof.condition is not None
    (at_least,) = proof.condition.children[0].children
    assert (at_least.kind, at_least.have, at_least.need) == ("atLeast", 1, 2)
    assert [held.trigger for held in proof.satisfied] == ["passport"]
    assert [missing.trigger for missing in proof.missing] == ["idCard", "bill"]
    assert "    - 1 of these:\n    -   idCard is missing: an application has to fire it\n" in text_of(found)


def test_a_count_says_how_many_came_and_the_deadline_when_it_expires() -> None:
    found = session()
    found.fire("row")
    found.fire("row")
    found.fire("passport")

    proof = instance(found, "t_batch")

    assert proof.condition is not None
    assert [(leaf.have, leaf.need, len(leaf.by)) for leaf in proof.condition.children] == [(2, 3, 2)]
    assert [(timer.kind, timer.due, timer.then) for timer in instance(found, "t_kyc").timers] == [
        ("deadline", 3_604_000, "it expires")
    ]
    assert "row is missing (2 of 3)" in text_of(found)


def test_a_delayed_instance_says_when_it_runs_and_an_abandoned_one_why_it_does_not() -> None:
    found = session()
    found.fire("ordered", id=1)
    delayed = instance(found, "t_remind")
    found.fire("paid")
    abandoned = instance(found, "t_remind")

    assert (delayed.status, delayed.outlook, delayed.timers[0].due) == ("delayed", Outlook.DELAYED, 902_000)
    assert (abandoned.status, abandoned.why) == ("abandoned", "its unless became true when paid fired")
    assert [held.by and held.by.offset for held in abandoned.satisfied] == [2]


def test_a_failed_attempt_waits_for_the_next_one_until_an_event_cancels_it() -> None:
    found = session()
    for _ in range(3):
        found.fire("row")
    found.apply(TaskStarted(instance="t_batch#0"))
    found.apply(TaskFailed(instance="t_batch#0", exception_type="app.Error"))
    waits = instance(found, "t_batch")
    found.fire("stop")
    cancelled = instance(found, "t_batch")

    assert [(timer.kind, timer.due, timer.then) for timer in waits.timers] == [("retry", 16_000, "attempt 2 is issued")]
    assert (cancelled.status, cancelled.why) == ("cancelled", "cancelOn accepted stop")
    assert [held.by and held.by.offset for held in cancelled.satisfied] == [4]


def test_the_last_failed_attempt_and_an_expired_instance_say_why() -> None:
    found = session()
    found.fire("passport")
    for _ in range(3):
        found.fire("row")
    found.apply(TaskFailed(instance="t_batch#0", exception_type="app.Error"))
    found.apply_at(TimerFired(instance="t_batch#0", attempt=1, due=16_000, kind="retry"), 16_000)
    found.apply_at(TaskFailed(instance="t_batch#0", exception_type="app.Error"), 17_000)
    found.apply_at(TimerFired(instance="t_kyc#0", attempt=0, due=3_602_000, kind="deadline"), 3_602_000)

    assert instance(found, "t_batch").why == "app.Error; retry allows 2 attempts"
    assert instance(found, "t_kyc").why == "its deadline was over before its conditions were true"
    found.fire("idCard")
    (idle,) = explained(found).events[-1].idle
    assert (idle.reason, idle.detail) == (Reason.NOT_TAKEN, "none waits any more: 1 expired")


def test_a_timer_that_comes_too_early_or_too_late_has_no_effect() -> None:
    found = session()
    found.fire("ordered", id=1)
    found.apply_at(TimerFired(instance="t_remind#0", attempt=0, due=902_000, kind="delay"), 900_000)
    early = explained(found).events[-1].idle
    found.fire("paid")
    found.apply_at(TimerFired(instance="t_remind#0", attempt=0, due=902_000, kind="delay"), 902_000)
    late = explained(found).events[-1].idle

    assert [(idle.reason, idle.detail) for idle in early] == [(Reason.NO_TIMER, "it is not due yet")]
    assert [idle.detail for idle in late] == ["it has no delay timer; it is abandoned"]


def test_a_correlated_event_names_the_instances_that_take_it() -> None:
    found = session()
    found.fire("ordered", id=1)
    found.fire("shipped", id=2)

    (verdict,) = last_verdicts(found)

    assert (verdict.verdict, verdict.numbers) == (LeafReaction.CANDIDATE, [])
    found.fire("ordered", id=2)
    (held,) = [held for held in instance(found, "t_match", 1).satisfied if held.trigger == "shipped"]
    assert held.by is not None
    assert (instance(found, "t_match", 1).status, held.by.offset) == ("scheduled", 3)


def test_the_rules_of_a_session_are_named_with_their_version() -> None:
    events: list[Event] = [
        RulesPublished(
            name="orders",
            version=1,
            configuration=msgspec.json.encode(ORDERS),
            is_default=True,
            position=1,
        ),
        TriggerFired(trigger="ordered", position=2, time=1000),
    ]

    explanation = explain("q-1", events)

    assert explanation.rules is not None
    assert (explanation.rules.name, explanation.rules.version) == ("orders", 1)
    assert "Published rules: orders, version 1" in list(explanation_lines(explanation))


def test_the_json_of_edition_1_has_no_key_of_edition_2() -> None:
    found = MemorySession({"t_a": {"after": ["a", "b"], "unless": ["c"], "run": "app.a"}})
    found.fire("a")

    text = msgspec.json.encode(explained(found)).decode()

    for key in ("leaves", "condition", "unless_condition", "timers", "why", "sentence", "rules"):
        assert f'"{key}":' not in text.replace('"causes":[{"kind":"fire","name":"b","why":', "")


def test_the_other_analyses_of_a_session_know_what_waits() -> None:
    found = session()
    found.fire("passport")
    found.fire("row")

    page = session_page(found.uid, found.log)
    with GroupedLog([(found.uid, event) for event in found.log]) as log:
        statistics = compute_statistics(log, None, None, 1)

    assert [timer for card in page.tasks for proof in card.paragraphs for timer in proof.timers] == [
        "At 1970-01-01 01:00:02.000 (deadline), it expires."
    ]
    assert {rule.task: rule.waiting for rule in statistics.rules} == {
        "t_kyc": 1,
        "t_remind": 0,
        "t_batch": 1,
        "t_match": 0,
    }
    assert b"t_kyc#0" in capture(found.uid, found.log, ())


def test_what_an_instance_holds_from_edition_1_names_its_event() -> None:
    found = MemorySession({"t_kyc": {"after": ["passport", "idCard"], "run": "app.kyc"}})
    found.fire("other")
    found.fire("passport", n=1)
    found.fire("passport", n=2)
    found.configure({"$edition": 2, "t_kyc": {"after": {"sequence": ["passport", "idCard"]}, "run": "app.kyc"}})

    (held,) = instance(found, "t_kyc").satisfied

    assert held.by is not None
    assert (held.trigger, held.by.offset) == ("passport", found.log[2].position)
