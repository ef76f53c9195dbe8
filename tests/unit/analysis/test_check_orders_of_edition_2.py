"""Orders of events and timers of edition 2, the findings about them, and what is said to be cut."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.property.timed_rules import played, runs_in_report, runs_of
from tests.support.checked_orders import Json, checked, findings, orders, outcomes, task

from triggers.analysis.check.findings import Severity
from triggers.analysis.check.liveness import Supply
from triggers.analysis.check.order_findings import explored_words
from triggers.analysis.check.orders import Budget
from triggers.analysis.check.usual_events import MAX_EQUAL, usual_events
from triggers.analysis.check.worlds import FiredMove, Results
from triggers.core.config import compile_plan

QUESTIONNAIRE = Path(__file__).parents[3] / "examples/questionnaire/rules.json"

# -- edition 1 in edition 2 --------------------------------------------------------------------------------------------


def test_the_questionnaire_has_18_of_60_orders_in_edition_2_as_well() -> None:
    rules = json.loads(QUESTIONNAIRE.read_text())

    found = orders(rules, "t_importBrowserMetadata")

    assert (found.exhaustive, found.explored, found.timed) == (True, 60, None)
    assert [(len(outcome.runs), outcome.abandoned, outcome.orders) for outcome in found.outcomes] == [
        (0, 1, 42),
        (1, 0, 18),
    ]


# -- time --------------------------------------------------------------------------------------------------------------

ABSENCE = {"t_a": task("order", unless=["paid"], delay="15m")}


def test_a_timer_may_come_before_or_after_an_event() -> None:
    found = orders(ABSENCE)

    assert outcomes(found) == [(0, 2)]
    assert outcomes(found.timed) == [(0, 3), (1, 1)]


def test_a_rule_about_time_is_reported_with_two_orders_as_a_note() -> None:
    (one,) = checked(ABSENCE).findings

    assert (one.rule, one.severity, one.directive) == ("time-sensitive", Severity.NOTE, "delay")
    assert one.details == (
        "events: order, paid",
        "order → paid: it does not run",
        "order → delay of t_a is due → paid: it runs once",
    )


def test_the_steps_of_a_witness_can_be_taken_in_a_test() -> None:
    timed = orders(ABSENCE).timed

    assert timed is not None
    assert timed.witnesses is not None
    for witness in timed.witnesses:
        session = played({"$edition": 2} | ABSENCE, witness.steps)
        assert runs_of(session, "t_a") == runs_in_report(witness.runs)
    assert [step.wait for step in timed.witnesses[1].steps] == [0, 900_000, 0]


def test_a_window_is_tried_at_once_and_when_it_is_over() -> None:
    timed = orders({"t_a": task("smoke", "heat", within="10s")}).timed

    assert timed is not None
    assert outcomes(timed) == [(0, 2), (1, 2)]
    assert timed.witnesses is not None
    assert timed.witnesses[1].order == ["heat", "smoke (more than 10s later)"]


def test_timers_come_in_the_order_of_their_due_times() -> None:
    rules = {
        "t_slow": task("x", delay="10m"),
        "t_fast": task("y", delay="1m"),
        "t_a": task({"sequence": ["t_slow", "t_fast"]}),
    }

    timed = orders(rules).timed

    assert timed is not None
    runs = [outcome.example for outcome in timed.outcomes if outcome.runs]
    assert outcomes(timed) == [(0, 5), (1, 2)]
    assert all(order.index("delay of t_slow is due") < order.index("delay of t_fast is due") for order in runs)


def test_an_event_may_come_so_late_that_its_timer_is_due_after_an_earlier_one() -> None:
    rules = {
        "t_x": task("x", delay="10m"),
        "t_y": task("y", delay="9m"),
        "t_a": task({"sequence": ["t_x", "t_y"]}, within="2m"),
    }

    timed = orders(rules).timed

    assert timed is not None
    assert any("y (more than 1m later)" in outcome.example for outcome in timed.outcomes if outcome.runs)


def test_a_deadline_that_expires_starts_another_task() -> None:
    rules = {"t_a": task("x", "y", deadline="5m"), "t_b": task("t_a:expired")}

    assert findings(rules) == []
    assert outcomes(orders(rules, "t_b").timed) == [(0, 4), (1, 2)]


# -- results -----------------------------------------------------------------------------------------------------------


def test_a_task_whose_failure_a_rule_waits_for_may_fail() -> None:
    rules = {"t_a": task("x"), "t_b": task("t_a:failed")}

    found = orders(rules, "t_b")

    assert outcomes(found) == [(0, 1), (1, 1)]
    assert found.witnesses is None, "a failure is no order"
    assert findings(rules) == []


def test_a_failed_attempt_is_tried_again_by_a_timer() -> None:
    rules = {"t_a": task("x", retry={"attempts": 2, "wait": "1m"}), "t_b": task("t_a:failed")}

    found = orders(rules, "t_b")

    assert [outcome.example for outcome in found.outcomes if outcome.runs] == [
        ["x", "t_a fails", "retry of t_a is due", "t_a fails"]
    ]


def test_a_task_that_only_runs_if_another_one_fails_is_not_called_dead() -> None:
    rules = {
        "t_a": task("x"),
        "t_b": task("t_a", deadline="1h"),
        "t_c": task("x", "t_a", deadline="1h"),
        "t_d": task("t_c:expired"),
    }

    assert ("never-runs", "t_d") not in findings(rules)


def test_a_task_that_runs_in_no_order_is_reported() -> None:
    rules = {
        "t_a": task("x", unless=["y"]),
        "t_b": task("y", unless=["x"]),
        "t_c": task("t_a", "t_b", delay="1m"),
    }

    assert ("never-runs", "t_c") in findings(rules)


def test_results_at_any_time_may_be_overdue() -> None:
    rules = {"t_a": task("x", timeouts={"scheduled": "1m", "attempts": 2}), "t_b": task("t_a")}

    timed = orders(rules, "t_b", results=Results.ANY_TIME).timed

    assert timed is not None
    assert outcomes(timed)[0][0] == 0
    assert any("scheduled of t_a is due" in outcome.example for outcome in timed.outcomes)


def test_a_session_comes_to_its_end() -> None:
    rules = {"$session": {"finalize": "done"}, "t_a": task("x"), "t_b": task("done")}

    assert outcomes(orders(rules, "t_b")) == [(1, 1)]


# -- findings ----------------------------------------------------------------------------------------------------------


def test_the_order_that_a_sequence_asks_for_is_no_finding() -> None:
    rules = {"t_a": task({"sequence": ["x", "y"]})}

    assert outcomes(orders(rules)) == [(0, 1), (1, 1)]
    assert checked(rules).findings == []


def test_a_task_that_depends_on_the_order_is_reported_as_in_edition_1() -> None:
    rules = {"t_a": task("x", {"any": ["y", "z"]}, unless=["u"])}

    (one,) = checked(rules, events={FiredMove("x"): 1, FiredMove("y"): 1, FiredMove("u"): 1}).findings

    assert (one.rule, one.message) == ("order-sensitive", "t_a runs in 2 of 6 orders although 'u' fires")


def test_what_cancels_a_task_makes_it_depend_on_the_order() -> None:
    assert findings({"t_a": task("x", "y", cancelOn=["u"])}) == [("order-sensitive", "t_a")]


# -- events ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("leaf", "events"),
    [
        ({"when": "kwargs.n > 100"}, {'x {"n":101}': 1}),
        ({"when": "kwargs.by in ['ann', 'bob']"}, {'x {"by":"ann"}': 1}),
        ({"when": "kwargs.a.b == 'c' && kwargs.n >= 2 && kwargs.n < 3"}, {'x {"a":{"b":"c"},"n":2}': 1}),
        ({"when": "has(kwargs.n)"}, {'x {"n":1}': 1}),
        ({"when": "kwargs.n == 1 || kwargs.n == 2"}, {'x {"n":1}': 1, 'x {"n":2}': 1}),
        ({"count": 3}, {"x": 3}),
        ({"count": 2, "distinct": "kwargs.by"}, {'x {"by":1}': 1, 'x {"by":2}': 1}),
    ],
)
def test_events_have_kwargs_that_the_filter_accepts_and_come_as_often_as_needed(leaf: Json, events: Json) -> None:
    found = orders({"t_a": task({"trigger": "x"} | leaf)})

    assert (found.events, found.cut) == (events, [])
    assert any(outcome.runs for outcome in found.outcomes)


def test_events_that_are_compared_have_equal_values() -> None:
    unless = [{"trigger": "paid", "when": "kwargs.id == on.order.id"}]
    rules = {"t_a": {"andEvery": "order", "unless": unless, "delay": "15m", "run": "r"}}

    found = orders(rules)

    assert found.events == {'order {"id":1}': 2, 'paid {"id":1}': 1}
    assert max(outcome.abandoned for outcome in found.outcomes) == 2


@pytest.mark.parametrize(
    ("leaf", "why"),
    [
        ({"when": "kwargs.n % 7 == 3"}, "x: no kwargs were found for its filter"),
        ({"count": 100}, f"x: it needs 100, and at most {MAX_EQUAL} were tried"),
        ({"count": "on.y.n"}, "x: its count depends on results"),
        ({"trigger": "other:failed"}, "other:failed: its task is not among these rules"),
    ],
)
def test_a_task_that_cannot_be_explored_is_named_and_not_called_dead(leaf: Json, why: str) -> None:
    rules = {"t_a": task("y", {"trigger": "x"} | leaf)}

    found = checked(rules)

    assert [one.cut for one in found.orders] == [[why]]
    assert [one.rule for one in found.findings] == []
    assert explored_words(found.orders).endswith(f"not explored for t_a: {why}")


def test_a_task_of_edition_1_has_the_events_that_it_had() -> None:
    plan = compile_plan(
        b'{"t_a": {"after": ["x", "p"], "andEvery": "p", "run": "r"}, "t_b": {"after": ["t_a"], "run": "r"}}'
    )

    assert usual_events(plan, Supply(plan.tasks)).events == {FiredMove("x"): 1, FiredMove("p"): 2}


def test_too_many_states_are_sampled_and_the_report_says_so() -> None:
    rules = {f"t_{n}": task(f"x{n}", f"y{n}", delay="1m", deadline="1h") for n in range(4)}
    rules |= {"t_a": task(*rules, deadline="1d")}

    found = orders(rules, budget=Budget(worlds=500, walks=50))

    assert (found.exhaustive, found.orders) == (False, None)
    assert found.timed is not None
    assert found.timed.explored <= 5
    assert "sampled orders for t_a: 5" in explored_words([found])


def test_rules_that_poll_with_a_delay_come_to_an_end() -> None:
    rules = {"t_a": {"andEvery": "t_b", "run": "r", "delay": "1m"}, "t_b": {"andEvery": "t_a", "run": "r"}}

    found = checked({**rules, "t_c": task("x")}, events={FiredMove("t_b"): 1, FiredMove("x"): 1})

    assert [one.task for one in found.orders] == ["t_c"]
    assert "endless-cascade" in [one.rule for one in found.findings]
