"""Who waits in which group, as ranges of numbers, and what a member of a group holds alone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from triggers.core.conditions.held import Held
from triggers.core.contribution import PRIVATE, Contribution
from triggers.core.state.group_parts import join_parts, private_part, shared_part
from triggers.core.state.number_ranges import contains, insert_number, numbers_in, remove_number
from triggers.core.state.waiting import Waiting


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 12))))
def test_ranges_hold_what_a_set_holds(changes: list[tuple[bool, int]]) -> None:
    edges: list[int] = []
    numbers: set[int] = set()
    for joins, number in changes:
        if not joins:
            remove_number(edges, number)
            numbers.discard(number)
        elif number not in numbers:
            insert_number(edges, number)
            numbers.add(number)
        assert list(numbers_in(edges)) == sorted(numbers)
        assert edges == sorted(set(edges))
        assert [contains(edges, number) for number in range(13)] == [number in numbers for number in range(13)]


def held(*orders: int) -> Held:
    return Held({"+a": [Contribution(b"{}", 1, order) for order in orders]})


def test_instances_that_hold_the_same_are_one_group() -> None:
    waiting = Waiting()
    for number in range(5_000):
        waiting.add_member(number, shared_part(held(number)), delayed=False, depth=0)
    waiting.add_member(5_000, shared_part(held(1, 2)), delayed=False, depth=0)
    waiting.add_member(5_001, shared_part(held(3)), delayed=True, depth=0)

    assert [group.members for group in waiting.groups] == [[0, 5_000], [5_000, 5_001], [5_001, 5_002]]


def test_the_last_instance_that_leaves_a_group_removes_it() -> None:
    waiting = Waiting()
    waiting.add_member(7, held(1), delayed=False, depth=0)

    assert waiting.remove_member(7) is not None
    assert waiting.groups == []
    assert waiting.remove_member(7) is None


def test_a_member_holds_its_own_contributions_and_those_that_came_to_all() -> None:
    own = held(1, 2)
    shared = shared_part(own)
    assert shared.slots == {"+a": [PRIVATE, PRIVATE]}
    shared.slots["+a"] = [*shared.slots["+a"][1:], Contribution(b"{}", 9, 3)]

    assert [found.order for found in join_parts(shared, private_part(own)).slots["+a"]] == [2, 3]
