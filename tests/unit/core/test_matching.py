"""What a single instance shows of conditions: counting, windows, sequences, memory, updates, what a task receives."""

from __future__ import annotations

from tests.support.edition2.one_instance import OneInstance

ORDER_AND_PAYMENT = ["order", {"trigger": "paid", "when": "kwargs.id == on.order.id"}]


def test_an_event_contributes_to_every_leaf_that_accepts_it() -> None:
    instance = OneInstance(after=["a", {"trigger": "a", "as": "big", "when": "kwargs.n > 5"}])

    instance.fire("a", n=1)
    assert not instance.ready
    instance.fire("a", n=9)
    assert instance.receives == {"a": {"n": 1}, "big": {"n": 9}}


def test_a_when_that_cannot_be_evaluated_is_false_and_reported() -> None:
    instance = OneInstance(after=[{"trigger": "a", "when": "kwargs.missing > 5"}])

    assert not instance.fire("a").took
    assert instance.evaluator.failures[0][0] == "kwargs.missing > 5"


def test_a_candidate_counts_once_the_event_that_it_refers_to_has_come() -> None:
    instance = OneInstance(after=ORDER_AND_PAYMENT)

    assert not instance.fire("paid", id=1).took
    assert not instance.fire("paid", id=2).took
    assert instance.fire("order", id=2).took
    assert instance.receives == {"order": {"id": 2}, "paid": {"id": 2}}


def test_only_a_thousand_candidates_are_held_the_newest() -> None:
    instance = OneInstance(after=ORDER_AND_PAYMENT)
    instance.hold("+paid", ({"id": number} for number in range(999)))
    instance.fire("paid", id=999)
    assert len(instance.held.of("+paid")) == 1_000
    instance.fire("paid", id=1_000)

    instance.fire("order", id=0)
    assert not instance.ready
    assert len(instance.held.of("+paid")) == len(instance.memory.slots["+paid"]) == 1_000


def test_an_equal_value_is_ignored_or_replaces_and_counts_as_taken_both_ways() -> None:
    first = OneInstance(after=[{"trigger": "a", "count": 2, "distinct": "kwargs.id"}])
    latest = OneInstance(after=[{"trigger": "a", "count": 2, "distinct": "kwargs.id", "keep": "latest"}])
    for instance in (first, latest):
        instance.fire("a", id=1, n=1)
        taken = instance.fire("a", id=1.0, n=2)
        assert taken.took
        assert taken.in_after is (instance is latest)

    assert first.receives == {"a": [{"id": 1, "n": 1}]}
    assert latest.receives == {"a": [{"id": 1.0, "n": 2}]}


def test_a_count_by_expression_is_evaluated_again_for_each_event() -> None:
    instance = OneInstance(after=["split", {"trigger": "part", "count": "on.split.parts"}])

    instance.fire("part", n=1)
    instance.fire("part", n=2)
    assert not instance.ready
    instance.fire("split", parts=1)
    assert instance.ready
    assert instance.receives == {"split": {"parts": 1}, "part": [{"n": 1}]}


def test_a_count_of_zero_passes_an_empty_list_but_is_not_true_in_unless() -> None:
    counted = {"trigger": "part", "count": "on.split.parts"}
    instance = OneInstance(after=["split", counted], unless=[counted])

    instance.fire("split", parts=0)
    assert instance.ready
    assert instance.receives == {"split": {"parts": 0}, "part": []}
    assert instance.conditions.unless is not None
    assert not instance.view.is_true(instance.conditions.unless)


def test_a_sequence_offers_an_event_to_the_last_child_that_may_have_it() -> None:
    instance = OneInstance(after={"sequence": ["a", {"trigger": "a", "as": "again"}, "b"]})

    instance.fire("b")
    instance.fire("a", n=1)
    assert instance.receives == {"a": {"n": 1}}
    instance.fire("a", n=2)
    instance.fire("b")
    assert instance.ready
    assert instance.receives == {"a": {"n": 1}, "again": {"n": 2}, "b": {}}


def test_within_drops_old_contributions_before_an_event_is_offered() -> None:
    instance = OneInstance(after=["a", "b"], within="10s")

    instance.fire("a", at=0, n=1)
    instance.fire("b", at=10.001)
    assert instance.receives == {"b": {}}
    instance.fire("a", at=20.001, n=2)
    assert instance.ready


def test_a_within_that_was_true_stays_true_and_takes_no_more() -> None:
    instance = OneInstance(after=[{"all": ["a", "b"], "within": "10s"}, "c"])

    instance.fire("a", at=0, n=1)
    instance.fire("b", at=1)
    assert not instance.fire("a", at=99, n=2).took
    instance.fire("c", at=100)
    assert instance.receives == {"a": {"n": 1}, "b": {}, "c": {}}


def test_a_new_instance_begins_with_the_remembered_contributions_that_the_event_does_not_displace() -> None:
    instance = OneInstance(after=[{"trigger": "a", "count": 2}], andEvery="e")
    for number in (1, 2, 3):
        instance.fire("a", n=number)
    instance.fire("e")

    assert instance.another().receives == {"a": [{"n": 2}, {"n": 3}], "e": {}}
    instance.fire("a", n=4)
    assert instance.another().receives == {"a": [{"n": 3}, {"n": 4}], "e": {}}


def test_an_update_keeps_the_contributions_of_equal_leaves() -> None:
    instance = OneInstance(after=["a", {"trigger": "b", "when": "kwargs.n > 0"}, {"trigger": "c", "count": 2}])
    for trigger in ("a", "b", "c"):
        instance.fire(trigger, n=1)

    instance.update(after=[{"trigger": "b", "when": "kwargs.n > 1"}, {"trigger": "c", "count": 1}, "d"])

    assert instance.receives == {"a": {"n": 1}, "c": {"n": 1}}
    assert list(instance.memory.slots) == ["+c"]


def test_a_plain_leaf_that_is_added_again_has_its_old_contributions() -> None:
    instance = OneInstance(after=["a", "b"], unless=["x", "y"])
    instance.fire("a", n=1)
    instance.fire("x")
    instance.update(after=["b"], unless=["y"])
    instance.update(after=["a", "b"], unless=["y", "x"])

    instance.fire("b")
    assert instance.ready
    instance.fire("y")
    assert instance.conditions.unless is not None
    assert instance.view.is_true(instance.conditions.unless)
