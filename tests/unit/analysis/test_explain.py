"""The explanations of events and tasks, case by case."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace
from tests.support.memory_session import Json, MemorySession

from triggers.analysis.explain.explanation import (
    Does,
    EventProof,
    Explanation,
    Idle,
    InstanceProof,
    MissingCause,
    Outlook,
    Reason,
)
from triggers.analysis.explain.explanation_text import explanation_lines
from triggers.analysis.explain.proofs import explain
from triggers.core.events import (
    ConfigurationUpdated,
    DeletionRequested,
    Event,
    ReplayRequested,
    SessionImported,
    TaskFailed,
    TaskFinished,
    TaskRetried,
    TaskStarted,
    TimerFired,
    TriggerFired,
)
from triggers.errors import TaskNotFound

RULES: Json = {
    "t_subject": {"after": ["page", "complete"], "run": "app.subject"},
    "t_mail": {"after": ["t_subject", "address"], "run": "app.mail", "unless": ["embedded"]},
}


def session(*events: Event, rules: Json = RULES) -> MemorySession:
    found = MemorySession(rules)
    for event in events:
        found.apply(event)
    return found


def fire(trigger: str, event_id: str | None = None) -> Event:
    return TriggerFired(trigger=trigger, id=event_id)


def explained(found: MemorySession, task: str | None = None) -> Explanation:
    return explain(found.uid, found.log, task)


def last(found: MemorySession) -> EventProof:
    return explained(found).events[-1]


def why(found: MemorySession) -> list[tuple[Reason, str | None]]:
    return [(idle.reason, idle.task) for idle in last(found).idle]


def instance(found: MemorySession, task: str) -> InstanceProof:
    return explained(found, task).tasks[0].instances[0]


def test_a_waiting_instance_has_the_triggers_that_it_has_and_those_that_are_missing() -> None:
    proof = instance(session(fire("page", "p1")), "t_subject")

    assert (proof.name, proof.status, proof.outlook) == ("t_subject#0", "unstarted", Outlook.RUNS)
    assert [(held.trigger, held.by and (held.by.offset, held.by.time, held.by.id)) for held in proof.satisfied] == [
        ("page", (2, 2000, "p1"))
    ]
    assert [missing.trigger for missing in proof.missing] == ["complete"]


def test_a_missing_task_is_followed_to_the_trigger_that_it_waits_for() -> None:
    proof = instance(session(fire("page"), fire("address")), "t_mail")

    causes = [MissingCause(kind="fire", name="complete", why="an application has to fire it")]
    assert {m.trigger: m.causes for m in proof.missing} == {"t_subject": causes}


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (TaskStarted(instance="t_subject#0"), "is running and has not finished"),
        (TaskFailed(instance="t_subject#0", exception_type="app.E"), "failed; replay it, or skip it with a result"),
    ],
)
def test_a_missing_task_that_has_started_is_reported_with_its_state(event: Event, reason: str) -> None:
    proof = instance(session(fire("page"), fire("complete"), fire("address"), event), "t_mail")

    assert proof.missing[0].causes == [MissingCause(kind="instance", name="t_subject#0", why=reason)]


def test_tasks_that_wait_for_each_other_are_a_cycle() -> None:
    rules = {name: {"after": [other], "run": "app.x"} for name, other in (("t_a", "t_b"), ("t_b", "t_a"))}

    (cause,) = instance(session(rules=rules), "t_a").missing[0].causes

    assert (cause.kind, cause.name) == ("cycle", "t_a")


def test_the_text_names_the_task_behind_which_a_cause_lies() -> None:
    rules: Json = {
        "t_a": {"after": ["a"], "run": "app.a"},
        "t_b": {"after": ["t_a", "b", "c"], "run": "app.b"},
        "t_c": {"after": ["t_b", "t_a", "d"], "run": "app.c"},
        "t_ring": {"after": ["t_back", "d"], "run": "app.ring"},
        "t_back": {"after": ["t_ring"], "run": "app.back"},
    }
    found = session(fire("a"), fire("d"), rules=rules)

    text = "\n".join(explanation_lines(explained(found)))

    begun = "is scheduled and has not finished"
    behind = [f"t_b ultimately waits for {name}, which an application has to fire" for name in ("b", "c")]
    behind.append(f"t_b ultimately waits for t_a#0, which {begun}")
    assert f"- t_a is missing: t_a#0 {begun}\n" in text
    assert "- b is missing: an application has to fire it\n" in text
    assert f"- t_b is missing: {'; '.join(behind)}\n" in text
    assert "- t_back is missing: t_ring → t_back → t_ring: they wait for each other\n" in text
    assert ": it waits" not in text


def test_firing_what_is_missing_may_abandon_instead() -> None:
    rules = {"t_a": {"after": ["a", "b"], "run": "app.a", "unless": ["b"]}}

    assert instance(session(fire("a"), rules=rules), "t_a").outlook is Outlook.ABANDONED


def test_an_event_that_no_rule_uses_is_unused() -> None:
    assert why(session(fire("weather"))) == [(Reason.UNUSED, None)]


def test_an_instance_that_already_has_the_trigger_does_not_take_it_again() -> None:
    found = session(fire("page"), fire("page"))

    assert why(found) == [(Reason.HAS_IT, "t_subject")]


def test_an_event_whose_id_was_already_applied_is_a_duplicate() -> None:
    found = session(fire("page", "p1"), fire("complete"), fire("page", "p1"))

    (idle,) = last(found).idle

    assert (idle.reason, idle.by and idle.by.offset) == (Reason.DUPLICATE, 2)


def test_an_unless_that_comes_too_late_names_the_event_that_was_first() -> None:
    found = session(fire("page"), fire("complete"), TaskFinished(instance="t_subject#0"), fire("address"))
    found.apply(fire("embedded"))

    (idle,) = last(found).idle

    assert (idle.reason, idle.task, idle.by and idle.by.what) == (Reason.TOO_LATE, "t_mail", "address fired")


def test_an_event_has_no_effect_on_an_abandoned_task() -> None:
    found = session(fire("embedded"), fire("address"))

    assert why(found) == [(Reason.ABANDONED, "t_mail")]


def test_a_second_result_names_the_first() -> None:
    found = session(fire("page"), fire("complete"), TaskFinished(instance="t_subject#0", attempt=1))
    found.apply(TaskFailed(instance="t_subject#0", attempt=1, exception_type="app.E"))

    (idle,) = last(found).idle

    assert (idle.reason, idle.by and idle.by.what) == (Reason.HAS_RESULT, "t_subject#0 finished")


def test_a_timer_that_is_no_longer_set_has_no_effect() -> None:
    found = session(fire("page"), fire("complete"), TaskRetried(instance="t_subject#0", cooldown_ms=1500))
    assert [effect.does for effect in last(found).effects][-1] is Does.COOLS
    found.apply(TimerFired(instance="t_subject#1", attempt=1))
    assert [effect.does for effect in last(found).effects] == [Does.ISSUED]

    found.apply(TimerFired(instance="t_subject#1", attempt=1))

    assert why(found) == [(Reason.NO_TIMER, "t_subject")]


def test_default_rules_have_no_effect_on_a_session_that_has_rules() -> None:
    found = session(ConfigurationUpdated(configuration=b'{"t_x": {"after": ["x"], "run": "app.x"}}', if_absent=True))

    assert why(found) == [(Reason.CONFIGURED, None)]


def test_a_refused_event_has_its_error_and_no_effect() -> None:
    found = session(fire("page"))
    refused = replace(ReplayRequested(instance="t_subject#0"), position=90)

    explanation = explain(found.uid, [*found.log, refused, *session(fire("complete")).log[1:]])

    assert explanation.events[2].idle == [
        Idle(
            reason=Reason.REFUSED,
            detail='WrongStatus: Instance "t_subject#0 (unstarted)" in unstarted state cannot be replayed!',
        )
    ]
    assert explanation.tasks[0].instances[0].status == "scheduled"


def test_replaced_kwargs_come_from_the_replay() -> None:
    found = session(fire("page"), fire("complete"), TaskFailed(instance="t_subject#0", exception_type="app.E"))
    found.apply(ReplayRequested(instance="t_subject#0", replacement_kwargs=b'{"page": {"n": 2}}'))

    replayed = explained(found, "t_subject").tasks[0].instances[1]

    assert [(held.trigger, held.by and held.by.offset) for held in replayed.satisfied] == [("page", 5)]


def test_the_explanation_of_one_task_has_only_events_about_it() -> None:
    found = session(fire("page"), fire("weather"), fire("address"))

    assert [proof.event.what for proof in explained(found, "t_mail").events][1:] == ["address fired"]
    with pytest.raises(TaskNotFound, match=r"t_mial.*t_subject, t_mail"):
        explained(found, "t_mial")


def test_a_stopped_cascade_fails_the_instance_that_it_would_have_scheduled() -> None:
    rules: Json = {"$limits": {"maxCascadeDepth": 1}, "t_a": {"after": ["t_a"], "andEvery": "t_a", "run": "app.a"}}
    found = session(fire("t_a"), TaskFinished(instance="t_a#0"), TaskFinished(instance="t_a#1"), rules=rules)

    proof = last(found)

    assert (proof.outcome, proof.effects[-1].status) == ("stopped", "failed")
    assert explained(found).events[0].event.what == "rules were set for t_a"
    assert instance(found, "t_a").status == "finished"


def test_a_deleted_session_begins_anew_and_late_results_have_no_effect() -> None:
    found = session(fire("page"), fire("complete"), DeletionRequested())
    assert [effect.does for effect in last(found).effects] == [Does.DELETED]
    found.apply(TaskFinished(instance="t_subject#0", attempt=1))
    assert why(found) == [(Reason.GONE, None)]
    found.configure(RULES)
    found.apply(fire("page"))

    proof = instance(found, "t_subject")

    assert (proof.name, proof.status, [m.trigger for m in proof.missing]) == ("t_subject#0", "unstarted", ["complete"])
    assert [held.by and held.by.offset for held in proof.satisfied] == [found.log[-1].position]


def test_timers_of_attempts_and_of_the_session_are_distinguished() -> None:
    rules: Json = {
        "$limits": {"sessionTtl": 3600},
        "t_a": {"after": ["a"], "run": "app.a", "timeouts": {"scheduled": 60, "attempts": 1}},
    }
    found = session(fire("a"), rules=rules)
    assert [effect.does for effect in last(found).effects] == [Does.CREATED, Does.BECAME, Does.ISSUED, Does.WATCHED]
    found.apply(TimerFired(instance="", attempt=0, due=1))
    assert why(found) == [(Reason.NO_TIMER, None)]
    found.apply(overdue := TimerFired(instance="t_a#0", attempt=1, due=62_000))
    assert [idle.detail for idle in last(found).idle] == ["it is not due yet"]
    found.apply_at(overdue, now=62_000)
    assert [effect.status for effect in last(found).effects] == ["failed"]

    found.apply(TaskFinished(instance="t_a#0", attempt=1))

    (idle,) = last(found).idle
    assert (idle.reason, idle.by and idle.by.what) == (Reason.HAS_RESULT, "a timer of t_a#0 was due")


def test_the_triggers_of_an_imported_session_come_from_the_import() -> None:
    brought = {"name": "t_mail#0", "kwargs": {"address": {"n": 1}}, "abandon_state": []}
    state = {"configuration": RULES, "instances": [brought], "latest_kwargs": {"address": {"n": 1}, "page": {}}}
    found = MemorySession()
    found.apply(SessionImported(state=json.dumps(state).encode()))

    waiting, following = instance(found, "t_mail"), instance(found, "t_subject")

    assert [(held.trigger, held.by and held.by.what) for held in waiting.satisfied] == [
        ("address", "the session was imported")
    ]
    assert (following.name, [held.trigger for held in following.satisfied]) == (None, ["page"])
    assert [(effect.does, effect.task) for effect in last(found).effects] == [(Does.CREATED, "t_mail")]


def test_the_first_of_several_fires_counts_towards_unless() -> None:
    found = session(fire("embedded"), fire("embedded"), fire("address"), fire("embedded"))

    (held,) = instance(found, "t_mail").unless_fired

    assert held.by is not None
    assert held.by.offset == 2


def test_a_trigger_with_an_empty_name_is_explained_like_any_other() -> None:
    proof = instance(session(fire(""), rules={"t_a": {"after": [""], "run": "app.a"}}), "t_a")

    assert [(held.trigger, held.by and held.by.offset) for held in proof.satisfied] == [("", 2)]
