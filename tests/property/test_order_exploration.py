"""The exploration of arrival orders agrees with playing every order one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.support.every_order import (
    TooMany,
    explore,
    interleavings,
    make_task,
    order_matters,
    orders_of,
    parse_move,
    runs_after,
    runs_in_report,
    shares,
    without_each,
)
from tests.support.small_rules import EndlessCascade, Rules, rules

from triggers.analysis.check.orders import Budget
from triggers.analysis.check.worlds import EndlessCascade as NoEnd
from triggers.analysis.check.worlds import Results

SAMPLE = Budget(worlds=0, walks=40)
EVENTS = ["a", "a:1", "a:2", "b", "b:1", "c", "d", "t_0:1"]
SHORT = {str(parse_move(event)): event for event in EVENTS}
"""The event as `play` takes it, by the event as a report shows it."""
BAGS = st.lists(st.sampled_from(EVENTS), min_size=3, max_size=5)


@settings(max_examples=60, deadline=None)
@example({"t_0": make_task("a", "b")}, ["a", "a:1", "a:2", "b"])
@example({"t_0": make_task("a", andEvery="b")}, ["a", "a:1", "a:2", "b", "b"])
@given(rules(), BAGS)
def test_every_outcome_has_the_share_that_playing_every_order_gives(configuration: Rules, events: list[str]) -> None:
    for name in configuration:
        try:
            expected = Counter(runs_after(configuration, name, order) for order in orders_of(events))
        except EndlessCascade:
            return
        found = explore(configuration, name, Counter(events))

        assert shares({runs_in_report(o.runs): o.orders for o in found.outcomes}) == shares(expected)
        assert found.exhaustive
        assert found.orders == found.explored == sum(outcome.orders for outcome in found.outcomes)


@settings(max_examples=60, deadline=None)
@given(rules(), BAGS)
def test_witnesses_differ_and_no_fewer_events_make_a_difference(configuration: Rules, events: list[str]) -> None:
    for name in configuration:
        try:
            found = explore(configuration, name, Counter(events))
        except NoEnd:
            return
        if found.witnesses is not None:
            one, other = found.witnesses
            assert sorted(one.order) == sorted(other.order)
            assert runs_after(configuration, name, _short(one.order)) == runs_in_report(one.runs)
            assert runs_after(configuration, name, _short(other.order)) == runs_in_report(other.runs)
            assert runs_in_report(one.runs) != runs_in_report(other.runs)
            assert not any(order_matters(configuration, name, few) for few in without_each(_short(one.order)))


@settings(max_examples=60, deadline=None)
@given(rules(), BAGS)
def test_a_sample_has_only_outcomes_that_playing_gives(configuration: Rules, events: list[str]) -> None:
    for name in configuration:
        try:
            expected = {runs_after(configuration, name, order) for order in orders_of(events)}
        except EndlessCascade:
            return
        found = explore(configuration, name, Counter(events), budget=SAMPLE)

        assert {runs_in_report(outcome.runs) for outcome in found.outcomes} <= expected
        assert not found.exhaustive
        assert found.explored == sum(outcome.orders for outcome in found.outcomes)
        assert found.explored <= (found.orders or 0)
        if found.witnesses is not None:
            one, other = found.witnesses
            assert (
                runs_after(configuration, name, _short(one.order))
                == runs_in_report(one.runs)
                != runs_in_report(other.runs)
            )


@settings(max_examples=40, deadline=None)
@example({"t_0": make_task("a"), "t_1": make_task("a"), "t_2": make_task("t_0", unless=["t_1"])}, ["a"])
@given(rules(maximum=2), st.lists(st.sampled_from(["a", "a:1", "b", "c"]), min_size=1, max_size=3))
def test_results_at_any_time_give_the_outcomes_of_every_interleaving(configuration: Rules, events: list[str]) -> None:
    for name in configuration:
        try:
            expected = interleavings(configuration, events, name)
        except TooMany:
            return
        found = explore(configuration, name, Counter(events), Results.ANY_TIME)

        assert {runs_in_report(outcome.runs) for outcome in found.outcomes} == expected
        assert (found.witnesses is not None) == found.sensitive
        if found.witnesses is not None:
            one, other = found.witnesses
            assert _events(one.order) == _events(other.order)
            assert runs_in_report(one.runs) != runs_in_report(other.runs)


def _short(order: Sequence[str]) -> list[str]:
    return [SHORT[event] for event in order]


def _events(order: Sequence[str]) -> list[str]:
    return sorted(move for move in order if not move.endswith(" finishes"))
