"""The tasks that depend on the order of arrival, and the findings about them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from tests.support.every_order import explore, make_task, orders_of, runs_after
from tests.support.small_rules import Rules, encode_rules

from triggers.analysis.check.liveness import Supply
from triggers.analysis.check.orders import Budget
from triggers.analysis.check.rules import Arrivals, check_rules
from triggers.analysis.check.usual_events import usual_events
from triggers.analysis.check.worlds import FiredMove, Results
from triggers.core.config import compile_plan

QUESTIONNAIRE = Path(__file__).parents[3] / "examples/questionnaire/rules.json"
SAMPLE = Budget(worlds=0, walks=40)


# -- the example of the documentation ----------------------------------------------------------------------------------


def test_the_questionnaire_runs_its_metadata_task_in_18_of_60_orders_although_it_is_embedded() -> None:
    checked = check_rules(QUESTIONNAIRE.read_bytes(), arrivals=Arrivals())

    (one,) = [one for one in checked.findings if one.rule == "order-sensitive"]
    found = next(found for found in checked.orders if found.task == "t_importBrowserMetadata")
    assert one.message == "t_importBrowserMetadata runs in 18 of 60 orders although 'isEmbeddedApplication' fires"
    assert found.events == {
        "firstPageReceived": 1,
        "isEmbeddedApplication": 1,
        "pageReceived": 2,
        "questionnaireComplete": 1,
    }
    assert [(len(outcome.runs), outcome.abandoned, outcome.orders) for outcome in found.outcomes] == [
        (0, 1, 42),
        (1, 0, 18),
    ]
    assert [found.sensitive for found in checked.orders] == [False, False, True]


def test_the_two_witnesses_of_the_questionnaire_leave_the_second_page_out() -> None:
    checked = check_rules(QUESTIONNAIRE.read_bytes(), arrivals=Arrivals())

    (one,) = [one for one in checked.findings if one.rule == "order-sensitive"]

    assert one.details[1:] == (
        "firstPageReceived → isEmbeddedApplication → pageReceived → questionnaireComplete: it does not run",
        "firstPageReceived → pageReceived → questionnaireComplete → isEmbeddedApplication: it runs once",
    )


def test_playing_every_order_gives_60_and_18_too() -> None:
    configuration = json.loads(QUESTIONNAIRE.read_text())
    events = ["firstPageReceived", "questionnaireComplete", "pageReceived", "pageReceived", "isEmbeddedApplication"]

    outcomes = [runs_after(configuration, "t_importBrowserMetadata", order) for order in orders_of(events)]

    assert (len(outcomes), sum(bool(runs) for runs in outcomes)) == (60, 18)


# -- which events matter -----------------------------------------------------------------------------------------------


def test_rules_and_events_that_do_not_touch_a_task_are_left_out() -> None:
    configuration = {f"t_{n}": make_task(f"a{n}", f"b{n}", unless=[f"c{n}"]) for n in range(30)}
    plan = compile_plan(encode_rules(configuration))

    found = explore(configuration, "t_7", usual_events(plan, Supply(plan.tasks)).events)

    assert (found.events, found.orders) == ({"a7": 1, "b7": 1, "c7": 1}, 6)
    assert sum(outcome.orders for outcome in found.outcomes if outcome.runs) == 2


def test_millions_of_orders_are_explored_by_merging_equal_worlds() -> None:
    triggers = [f"e{n:02}" for n in range(11)]

    found = explore({"t_a": make_task(*triggers)}, "t_a", dict.fromkeys(triggers, 1))

    assert (found.exhaustive, found.orders, found.worlds) == (True, 39_916_800, 2**11)


def test_too_many_worlds_are_sampled_and_the_share_is_reported() -> None:
    triggers = [f"e{n:02}" for n in range(11)]
    configuration = {"t_a": make_task(*triggers, unless=["late"])}

    found = explore(configuration, "t_a", dict.fromkeys([*triggers, "late"], 1), budget=Budget(worlds=99, walks=50))

    assert (found.exhaustive, found.orders, found.explored) == (False, 479_001_600, 50)
    assert {len(outcome.runs) for outcome in found.outcomes} == {0, 1}


def test_the_same_sample_is_taken_every_time() -> None:
    configuration, events = {"t_a": make_task("a", "b", unless=["c"])}, {"a": 1, "b": 2, "c": 1}

    assert explore(configuration, "t_a", events, budget=SAMPLE) == explore(configuration, "t_a", events, budget=SAMPLE)


def test_the_first_kwargs_win_so_the_order_decides_with_which_kwargs_a_task_runs() -> None:
    events = {FiredMove("a", b'{"n":1}'): 1, FiredMove("a", b'{"n":2}'): 1, FiredMove("b"): 1}
    configuration = {"t_a": make_task("a", "b")}
    arrivals = Arrivals(events=events)

    found = explore(configuration, "t_a", events)
    (one,) = check_rules(encode_rules(configuration), arrivals=arrivals).findings

    assert sorted(bytes(o.runs[0]["a"]) for o in found.outcomes) == [b'{"n":1}', b'{"n":2}']
    assert one.message == "t_a runs once in every order, with different kwargs"


def test_a_late_result_makes_more_orders() -> None:
    configuration = {"t_a": make_task("a"), "t_b": make_task("t_a", unless=["x"])}

    at_once = explore(configuration, "t_b", {"a": 1, "x": 1})
    any_time = explore(configuration, "t_b", {"a": 1, "x": 1}, Results.ANY_TIME)

    assert sorted((len(o.runs), o.orders) for o in at_once.outcomes) == [(0, 1), (1, 1)]
    assert ["a", "x", "t_a finishes"] in [o.example for o in any_time.outcomes]


def test_two_tasks_that_abandon_each_other_keep_a_third_from_ever_running() -> None:
    configuration = {
        "t_a": make_task("x", unless=["y"]),
        "t_b": make_task("y", unless=["x"]),
        "t_c": make_task("t_a", "t_b"),
    }

    found = check_rules(encode_rules(configuration), arrivals=Arrivals()).findings

    assert [(one.rule, one.task) for one in found if one.rule == "never-runs"] == [("never-runs", "t_c")]


def test_tasks_that_make_each_other_run_without_end_are_left_out() -> None:
    configuration = {"t_a": make_task(andEvery="t_a"), "t_b": make_task("a")}

    checked = check_rules(
        encode_rules(configuration), arrivals=Arrivals(events={FiredMove("t_a"): 1, FiredMove("a"): 1})
    )

    assert [found.task for found in checked.orders] == ["t_b"]


MESSAGES: list[tuple[Rules, str, str]] = [
    ({"t_a": make_task("a", unless=["b"])}, "ab", "t_a runs in 1 of 2 orders although 'b' fires"),
    ({"t_a": make_task("a", unless=["b", "c"])}, "abc", "t_a runs in 4 of 6 orders although 'b' and 'c' fire"),
    (
        {"t_a": make_task("a", andEvery="p", unless=["t_b"]), "t_b": make_task("b")},
        "abpp",
        "of 12 orders, t_a runs not at all in 7, twice in 3, once in 2",
    ),
]


@pytest.mark.parametrize(("configuration", "events", "message"), MESSAGES)
def test_the_message_counts_the_orders(configuration: Rules, events: str, message: str) -> None:
    arrivals = Arrivals(events=Counter(map(FiredMove, events)))

    found = check_rules(encode_rules(configuration), arrivals=arrivals).findings

    assert [one.message for one in found if one.rule == "order-sensitive"] == [message]
