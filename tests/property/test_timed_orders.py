"""The exploration of orders with timers: its witnesses replay, and playing at random finds nothing else."""

from __future__ import annotations

from collections.abc import Container, Iterator

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.property.timed_rules import (
    TASKS,
    TRIGGERS,
    Json,
    as_text,
    encoded,
    played,
    runs_in_report,
    runs_of,
    timed_rules,
)

from triggers.analysis.check.edition_2_worlds import Edition2Worlds, Pace
from triggers.analysis.check.exploration import AllOrders
from triggers.analysis.check.orders import Budget, TaskOrders, Witness, explore_orders
from triggers.analysis.check.steps import Step, steps_of
from triggers.analysis.check.worlds import EndlessCascade, FiredMove, Results, World
from triggers.core.config import compile_plan

BUDGET = Budget(worlds=4_000, walks=100)
EVENTS = st.builds(
    lambda all_of_them, more: [*all_of_them, *more], st.permutations(TRIGGERS), st.sampled_from([[], ["a"]])
)
"""Each trigger once, so that conditions become true, and perhaps one of them again."""
SLOW = [HealthCheck.too_slow, HealthCheck.filter_too_much]


def explored(
    rules: Json, events: list[str], results: Results = Results.AT_ONCE, budget: Budget = BUDGET
) -> Iterator[TaskOrders]:
    plan = compile_plan(encoded(rules))
    moves = {FiredMove(trigger): events.count(trigger) for trigger in events}
    for task in plan.tasks.values():
        try:
            yield explore_orders(plan, task, moves, results, budget)
        except EndlessCascade:
            continue


def reports(found: TaskOrders) -> Iterator[TaskOrders]:
    yield found
    if found.timed is not None:
        yield found.timed


def check_witness(rules: Json, task: str, witness: Witness, results: Results) -> None:
    """Takes the witness's steps in a real session, in which no other task finishes by itself."""
    waiting = {step.instance.partition("#")[0] for step in witness.steps if step.instance is not None}
    if results is Results.ANY_TIME:
        waiting = {name for name in rules if not name.startswith("$")}
    session = played(rules, witness.steps, waiting)

    assert runs_of(session, task) == runs_in_report(witness.runs)


@settings(max_examples=30, deadline=None, suppress_health_check=SLOW)
@given(timed_rules(), EVENTS)
def test_each_witness_replays_in_a_real_session(rules: Json, events: list[str]) -> None:
    for found in explored(rules, events):
        for report in reports(found):
            if report.witnesses is not None:
                one, other = report.witnesses
                assert runs_in_report(one.runs) != runs_in_report(other.runs)
                check_witness(rules, found.task, one, Results.AT_ONCE)
                check_witness(rules, found.task, other, Results.AT_ONCE)


@settings(max_examples=15, deadline=None, suppress_health_check=SLOW)
@given(timed_rules(), st.lists(st.sampled_from(TRIGGERS), min_size=1, max_size=3))
def test_each_witness_with_results_at_any_time_replays_in_a_real_session(rules: Json, events: list[str]) -> None:
    for found in explored(rules, events, Results.ANY_TIME):
        for report in reports(found):
            for witness in report.witnesses or ():
                check_witness(rules, found.task, witness, Results.ANY_TIME)


@settings(max_examples=15, deadline=None, suppress_health_check=SLOW)
@given(timed_rules(), EVENTS)
def test_each_witness_of_a_sample_replays_in_a_real_session(rules: Json, events: list[str]) -> None:
    for found in explored(rules, events, budget=Budget(worlds=0, walks=100)):
        for report in reports(found):
            assert not report.exhaustive
            for witness in report.witnesses or ():
                check_witness(rules, found.task, witness, Results.AT_ONCE)


def _examples(rules: Json, events: list[str], task: str) -> Iterator[tuple[list[Step], list[str]]]:
    """Yields an order of each outcome of a task, as steps, with the runs that the exploration found."""
    plan = compile_plan(encoded(rules))
    kinds = [(FiredMove(trigger), events.count(trigger)) for trigger in sorted(set(events))]
    worlds = Edition2Worlds(plan, kinds, Results.AT_ONCE, Pace.ANY)

    def outcome(world: World) -> tuple[object, ...]:
        return tuple(each.kwargs for each in world.instances if each.task == task and each.has_run)

    found = AllOrders(worlds, outcome).explore(400)
    for reached in found.outcomes.values() if found is not None else ():
        runs = [dict(each.kwargs) for each in reached.world.instances if each.task == task and each.has_run]
        yield list(steps_of(worlds, reached.example)), sorted(as_text(run) for run in runs)


@settings(max_examples=30, deadline=None, suppress_health_check=SLOW)
@given(timed_rules(), EVENTS)
def test_an_order_of_each_outcome_replays_in_a_real_session(rules: Json, events: list[str]) -> None:
    """Attempts that stall and sessions that are deleted are among them."""
    for task in TASKS:
        try:
            examples = list(_examples(rules, events, task)) if task in rules else []
        except EndlessCascade:
            continue
        for steps, runs in examples:
            waiting = {step.instance.partition("#")[0] for step in steps if step.instance is not None}
            assert runs_of(played(rules, steps, waiting), task) == runs


WAITS = st.sampled_from([0, 0, 1, 500, 999, 1_000, 1_001, 4_000, 5_000, 5_001, 6_999, 7_001, 13_000, 20_001, 60_000])


def is_deleted_before(rules: Json, steps: list[Step], events: Container[str]) -> bool:
    """Returns whether the session may be deleted before the first of these events, which an exploration leaves out."""
    ttl = compile_plan(encoded(rules)).limits.session_ttl
    until_first = next((number for number, step in enumerate(steps, 1) if step.fire in events), len(steps))
    return bool(ttl) and any((step.wait or 0) >= ttl for step in steps[:until_first])


def test_a_session_that_is_deleted_before_the_events_of_a_task_is_left_out() -> None:
    rules = {"$edition": 2, "$limits": {"sessionTtl": "6s"}, "t_0": {"after": ["a"], "run": "app.run"}}
    steps = [Step(wait=0, fire="b"), Step(wait=6999, fire="a")]

    (found,) = explored(rules, ["a"])

    assert runs_of(played(rules, steps), "t_0") == []
    assert is_deleted_before(rules, steps, found.events)
    assert not is_deleted_before(rules, steps, ["b"])
    assert [len(outcome.runs) for outcome in found.outcomes] == [1]


@settings(max_examples=40, deadline=None, suppress_health_check=SLOW)
@given(timed_rules(), EVENTS, st.lists(WAITS, min_size=4, max_size=4))
def test_events_at_any_times_have_no_outcome_that_the_exploration_lacks(
    rules: Json, events: list[str], waits: list[int]
) -> None:
    """Tasks finish at once, which is one of the choices that results have."""
    steps = [Step(wait=wait, fire=trigger) for trigger, wait in zip(events, waits, strict=False)]
    session = played(rules, [*steps, Step(wait=10_000_000)])
    for found in explored(rules, events):
        report = found if found.timed is None else found.timed
        if report.exhaustive and not report.cut and not is_deleted_before(rules, steps, report.events):
            assert runs_of(session, found.task) in [runs_in_report(outcome.runs) for outcome in report.outcomes]


@settings(max_examples=15, deadline=None, suppress_health_check=SLOW)
@given(timed_rules(), EVENTS)
def test_orders_without_time_have_only_outcomes_of_orders_with_time(rules: Json, events: list[str]) -> None:
    for found in explored(rules, events):
        if found.timed is not None and found.exhaustive and found.timed.exhaustive:
            with_time = [runs_in_report(outcome.runs) for outcome in found.timed.outcomes]
            assert [one.runs for one in found.outcomes if runs_in_report(one.runs) not in with_time] == []
