"""The exploration of arrival orders, against every order played out one by one."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.support.memory_session import MemorySession
from tests.support.small_rules import EndlessCascade, Rules, encoded, fired, play, rules

from triggers.analysis.check.orders import Budget, TaskOrders, explore_orders, usual_events
from triggers.analysis.check.rules import Arrivals, check_rules
from triggers.analysis.check.worlds import EndlessCascade as NoEnd
from triggers.analysis.check.worlds import Fired, Results
from triggers.core.config import compile_plan
from triggers.core.events import Event, TaskFinished
from triggers.core.rows import MemoryRows

QUESTIONNAIRE = Path(__file__).parents[3] / "examples/questionnaire/rules.json"
SAMPLE = Budget(worlds=0, walks=40)
MOST_STEPS = 2_000
Runs = tuple[str, ...]


def _explore(
    configuration: Rules,
    task: str,
    events: Mapping[str, int] | Mapping[Fired, int],
    results: Results = Results.AT_ONCE,
    budget: Budget = Budget(),  # noqa: B008  # frozen
) -> TaskOrders:
    plan = compile_plan(encoded(configuration))
    return explore_orders(plan, plan.tasks[task], _events(events), results, budget)


def _events(events: Mapping[str, int] | Mapping[Fired, int]) -> dict[Fired, int]:
    return {_fired(event) if isinstance(event, str) else event: count for event, count in events.items()}


def _fired(event: str) -> Fired:
    return Fired(fired(event).trigger, fired(event).kwargs)


def _task(*after: str, **other: object) -> dict[str, Any]:
    return {"after": list(after), "run": "app.run"} | other


# -- the guide's example -----------------------------------------------------------------------------------------------


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


def test_60_and_18_are_what_playing_every_order_gives() -> None:
    configuration = json.loads(QUESTIONNAIRE.read_text())
    events = ["firstPageReceived", "questionnaireComplete", "pageReceived", "pageReceived", "isEmbeddedApplication"]

    outcomes = [_runs(configuration, "t_importBrowserMetadata", order) for order in _orders(events)]

    assert (len(outcomes), sum(bool(runs) for runs in outcomes)) == (60, 18)


# -- against brute force -----------------------------------------------------------------------------------------------

EVENTS = ["a", "a:1", "a:2", "b", "b:1", "c", "d", "t_0:1"]
SHORT = {str(_fired(event)): event for event in EVENTS}
"""What a report says -> what `play` takes."""
BAGS = st.lists(st.sampled_from(EVENTS), min_size=3, max_size=5)


@settings(max_examples=60, deadline=None)
@example({"t_0": _task("a", "b")}, ["a", "a:1", "a:2", "b"])
@example({"t_0": _task("a", andEvery="b")}, ["a", "a:1", "a:2", "b", "b"])
@given(rules(), BAGS)
def test_every_outcome_has_the_share_that_playing_every_order_gives(configuration: Rules, events: list[str]) -> None:
    for task in configuration:
        try:
            expected = Counter(_runs(configuration, task, order) for order in _orders(events))
        except EndlessCascade:
            return
        found = _explore(configuration, task, Counter(events))

        assert _shares({_key(o.runs): o.orders for o in found.outcomes}) == _shares(expected)
        assert found.exhaustive
        assert found.orders == found.explored == sum(outcome.orders for outcome in found.outcomes)


@settings(max_examples=60, deadline=None)
@given(rules(), BAGS)
def test_witnesses_differ_and_no_fewer_events_make_a_difference(configuration: Rules, events: list[str]) -> None:
    for task in configuration:
        try:
            found = _explore(configuration, task, Counter(events))
        except NoEnd:
            return
        if found.witnesses is not None:
            one, other = found.witnesses
            assert sorted(one.order) == sorted(other.order)
            assert _runs(configuration, task, _short(one.order)) == _key(one.runs)
            assert _runs(configuration, task, _short(other.order)) == _key(other.runs)
            assert _key(one.runs) != _key(other.runs)
            assert not any(_differ(configuration, task, few) for few in _smaller(_short(one.order)))


@settings(max_examples=60, deadline=None)
@given(rules(), BAGS)
def test_a_sample_finds_only_what_playing_gives(configuration: Rules, events: list[str]) -> None:
    for task in configuration:
        try:
            expected = {_runs(configuration, task, order) for order in _orders(events)}
        except EndlessCascade:
            return
        found = _explore(configuration, task, Counter(events), budget=SAMPLE)

        assert {_key(outcome.runs) for outcome in found.outcomes} <= expected
        assert not found.exhaustive
        assert found.explored == sum(outcome.orders for outcome in found.outcomes)
        assert found.explored <= (found.orders or 0)
        if found.witnesses is not None:
            one, other = found.witnesses
            assert _runs(configuration, task, _short(one.order)) == _key(one.runs) != _key(other.runs)


@settings(max_examples=40, deadline=None)
@example({"t_0": _task("a"), "t_1": _task("a"), "t_2": _task("t_0", unless=["t_1"])}, ["a"])
@given(rules(most=2), st.lists(st.sampled_from(["a", "a:1", "b", "c"]), min_size=1, max_size=3))
def test_results_at_any_time_give_the_outcomes_of_every_interleaving(configuration: Rules, events: list[str]) -> None:
    for task in configuration:
        try:
            expected = _interleavings(configuration, events, task)
        except _TooMany:
            return
        found = _explore(configuration, task, Counter(events), Results.ANY_TIME)

        assert {_key(outcome.runs) for outcome in found.outcomes} == expected


# -- what matters and what does not ------------------------------------------------------------------------------------


def test_rules_and_events_that_do_not_touch_a_task_are_left_out() -> None:
    configuration = {f"t_{n}": _task(f"a{n}", f"b{n}", unless=[f"c{n}"]) for n in range(30)}
    plan = compile_plan(encoded(configuration))

    found = _explore(configuration, "t_7", usual_events(plan))

    assert (found.events, found.orders) == ({"a7": 1, "b7": 1, "c7": 1}, 6)
    assert sum(outcome.orders for outcome in found.outcomes if outcome.runs) == 2


def test_orders_beyond_counting_are_explored_by_merging_equal_worlds() -> None:
    triggers = [f"e{n:02}" for n in range(11)]

    found = _explore({"t_a": _task(*triggers)}, "t_a", dict.fromkeys(triggers, 1))

    assert (found.exhaustive, found.orders, found.worlds) == (True, 39_916_800, 2**11)


def test_too_many_worlds_are_sampled_and_the_share_is_told() -> None:
    triggers = [f"e{n:02}" for n in range(11)]
    configuration = {"t_a": _task(*triggers, unless=["late"])}

    found = _explore(configuration, "t_a", dict.fromkeys([*triggers, "late"], 1), budget=Budget(worlds=99, walks=50))

    assert (found.exhaustive, found.orders, found.explored) == (False, 479_001_600, 50)
    assert {len(outcome.runs) for outcome in found.outcomes} == {0, 1}


def test_the_same_sample_is_taken_every_time() -> None:
    configuration, events = {"t_a": _task("a", "b", unless=["c"])}, {"a": 1, "b": 2, "c": 1}

    assert _explore(configuration, "t_a", events, budget=SAMPLE) == _explore(
        configuration, "t_a", events, budget=SAMPLE
    )


def test_the_first_kwargs_win_so_the_order_decides_with_what_a_task_runs() -> None:
    events = {Fired("a", b'{"n":1}'): 1, Fired("a", b'{"n":2}'): 1, Fired("b"): 1}
    configuration = {"t_a": _task("a", "b")}
    arrivals = Arrivals(events=events)

    found = _explore(configuration, "t_a", events)
    (one,) = check_rules(encoded(configuration), arrivals=arrivals).findings

    assert sorted(bytes(o.runs[0]["a"]) for o in found.outcomes) == [b'{"n":1}', b'{"n":2}']
    assert one.message == "t_a runs once in every order, with different kwargs"


def test_a_late_result_makes_more_orders() -> None:
    configuration = {"t_a": _task("a"), "t_b": _task("t_a", unless=["x"])}

    at_once = _explore(configuration, "t_b", {"a": 1, "x": 1})
    any_time = _explore(configuration, "t_b", {"a": 1, "x": 1}, Results.ANY_TIME)

    assert sorted((len(o.runs), o.orders) for o in at_once.outcomes) == [(0, 1), (1, 1)]
    assert ["a", "x", "t_a finishes"] in [o.example for o in any_time.outcomes]


def test_two_tasks_that_abandon_each_other_keep_a_third_from_ever_running() -> None:
    configuration = {"t_a": _task("x", unless=["y"]), "t_b": _task("y", unless=["x"]), "t_c": _task("t_a", "t_b")}

    found = check_rules(encoded(configuration), arrivals=Arrivals()).findings

    assert [(one.rule, one.task) for one in found if one.rule == "never-runs"] == [("never-runs", "t_c")]


def test_tasks_that_start_each_other_without_end_are_left_out() -> None:
    configuration = {"t_a": _task(andEvery="t_a"), "t_b": _task("a")}

    checked = check_rules(encoded(configuration), arrivals=Arrivals(events={Fired("t_a"): 1, Fired("a"): 1}))

    assert [found.task for found in checked.orders] == ["t_b"]


MESSAGES: list[tuple[Rules, str, str]] = [
    ({"t_a": _task("a", unless=["b"])}, "ab", "t_a runs in 1 of 2 orders although 'b' fires"),
    ({"t_a": _task("a", unless=["b", "c"])}, "abc", "t_a runs in 4 of 6 orders although 'b' and 'c' fire"),
    (
        {"t_a": _task("a", andEvery="p", unless=["t_b"]), "t_b": _task("b")},
        "abpp",
        "of 12 orders, t_a runs not at all in 7, twice in 3, once in 2",
    ),
]


@pytest.mark.parametrize(("configuration", "events", "message"), MESSAGES)
def test_the_message_counts_the_orders(configuration: Rules, events: str, message: str) -> None:
    arrivals = Arrivals(events=Counter(map(Fired, events)))

    found = check_rules(encoded(configuration), arrivals=arrivals).findings

    assert [one.message for one in found if one.rule == "order-sensitive"] == [message]


def _short(order: Sequence[str]) -> list[str]:
    return [SHORT[event] for event in order]


def _orders(events: Sequence[str]) -> list[tuple[str, ...]]:
    return sorted(set(permutations(events)))


def _runs(configuration: Rules, task: str, order: Sequence[str]) -> Runs:
    return _ran_with(play(configuration, order), task)


def _ran_with(session: MemorySession, task: str) -> Runs:
    shown = session.view().instances
    return tuple(sorted(_text(i.kwargs) for i in shown if i.task == task and i.status == "finished"))


def _key(runs: list[dict[str, Any]]) -> Runs:
    return tuple(sorted(_text(run) for run in runs))


def _text(kwargs: Mapping[str, Any]) -> str:
    return json.dumps({trigger: bytes(value).decode() for trigger, value in kwargs.items()}, sort_keys=True)


def _shares(counts: Mapping[Runs, int]) -> dict[Runs, Fraction]:
    return {runs: Fraction(count, sum(counts.values())) for runs, count in counts.items()}


def _smaller(order: Sequence[str]) -> Iterator[list[str]]:
    for at in range(len(order)):
        yield [*order[:at], *order[at + 1 :]]


def _differ(configuration: Rules, task: str, events: list[str]) -> bool:
    return len({_runs(configuration, task, order) for order in _orders(events)}) > 1


class _TooMany(Exception):
    """More interleavings than a test has time for."""


def _interleavings(configuration: Rules, events: Sequence[str], task: str) -> set[Runs]:
    """What the task has run with at the end of every way in which events and results can follow each other."""
    ends: set[Runs] = set()
    ahead: list[tuple[MemorySession, tuple[str, ...]]] = [(MemorySession(configuration), tuple(events))]
    for _ in range(MOST_STEPS):
        if not ahead:
            return ends
        session, left = ahead.pop()
        busy = [name for name, status in session.statuses().items() if status == "scheduled"]
        for trigger in set(left):
            rest = list(left)
            rest.remove(trigger)
            ahead.append((_then(session, fired(trigger)), tuple(rest)))
        ahead += [(_then(session, TaskFinished(instance=name)), left) for name in busy]
        if not left and not busy:
            ends.add(_ran_with(session, task))
    raise _TooMany


def _then(session: MemorySession, event: Event) -> MemorySession:
    copy = MemorySession(uid=session.uid)
    copy.rows = MemoryRows(session.rows)
    copy.apply(event)
    return copy
