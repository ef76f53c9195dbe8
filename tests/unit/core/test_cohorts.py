"""Waiting instances are cheap to store in cohorts, and leave their cohort as soon as they differ."""

from __future__ import annotations

from tests.support.memory_session import MemorySession, scheduled

from triggers.core.events import CloneRequested, StatusSet
from triggers.core.state.cohorts import add_to_cohort, members_of_cohort, remove_from_cohort
from triggers.core.state.header_parts import TaskState
from triggers.core.state.instance import Instance
from triggers.core.state.loaded_instance import LoadedInstance
from triggers.core.state.rows import header_key

PAGES = {"t_page": {"after": ["subject"], "andEvery": "page", "run": "app.Page", "unless": ["stop", "now"]}}


def test_five_thousand_waiting_instances_are_one_cohort_in_a_small_header() -> None:
    session = MemorySession(PAGES)

    for number in range(5000):
        session.fire("page", n=number)

    (cohort,) = session.header().tasks["t_page"].cohorts
    assert cohort.members == [0, 5000]
    assert len(session.rows[header_key(session.uid)]) < 600


def test_an_event_among_five_thousand_waiting_writes_as_few_bytes_as_among_five() -> None:
    session, written = MemorySession(PAGES), []

    for number in range(5000):
        before = dict(session.rows) if number in {4, 4999} else {}
        session.fire("page", n=number)
        if before:
            written.append(sum(len(row) for key, row in session.rows.items() if before.get(key) != row))

    assert written[1] < written[0] + 200


def test_a_waiting_cohort_starts_in_creation_order_each_with_its_own_kwargs() -> None:
    session = MemorySession(PAGES)
    for number in range(12):
        session.fire("page", n=number)

    decision = session.fire("subject", id=7)

    assert scheduled(decision) == [(f"t_page#{n}", {"page": {"n": n}, "subject": {"id": 7}}) for n in range(12)]
    assert session.header().tasks["t_page"].cohorts == []


def test_a_trigger_given_to_a_cohort_rewrites_no_instance() -> None:
    session = MemorySession({"t": {"after": ["a", "b", "c"], "run": "app.A", "andEvery": "p"}})
    for _ in range(3):
        session.fire("p")
    instances = {key: row for key, row in session.rows.items() if b"it\0" in key}

    session.fire("a", n=1)

    assert {key: row for key, row in session.rows.items() if b"it\0" in key} == instances
    assert all(bytes(instance.kwargs["a"]) == b'{"n": 1}' for instance in session.view().instances)


def test_instances_made_before_and_after_a_fill_keep_the_kwargs_of_their_time() -> None:
    session = MemorySession({"t": {"after": ["a", "b"], "run": "app.A", "andEvery": "p"}})
    session.fire("p", n=0)
    session.fire("a", v=1)
    session.fire("a", v=2)
    session.fire("p", n=1)

    decision = session.fire("b")

    assert scheduled(decision) == [
        ("t#0", {"p": {"n": 0}, "a": {"v": 1}, "b": {}}),
        ("t#1", {"p": {"n": 1}, "a": {"v": 2}, "b": {}}),
    ]


def test_one_abandon_trigger_of_two_is_remembered_by_the_cohort() -> None:
    session = MemorySession(PAGES)
    session.fire("page")
    session.fire("stop")
    session.fire("page")

    session.fire("now")

    assert session.statuses() == {"t_page#0": "abandoned", "t_page#1": "abandoned"}


def test_a_member_set_by_hand_takes_the_kwargs_of_its_cohort_along() -> None:
    session = MemorySession(PAGES)
    for _ in range(3):
        session.fire("page")
    session.fire("stop")

    session.apply(StatusSet(instance="t_page#1", status="skipped"))

    assert session.header().tasks["t_page"].cohorts[0].members == [0, 1, 2, 3]
    assert session.view().instances[1].abandon_state == ["stop"]
    assert [name for name, _ in scheduled(session.fire("subject"))] == ["t_page#0", "t_page#2"]


def test_an_instance_set_back_to_unstarted_waits_again_and_is_issued_as_its_next_attempt() -> None:
    session = MemorySession({"t": {"after": ["a"], "run": "app.A"}})
    session.fire("a", n=1)
    session.apply(StatusSet(instance="t#0", status="unstarted", force=True))

    (command,) = session.fire("a", n=2).commands

    assert (command.instance, command.attempt) == ("t#0", 2)


def test_a_clone_of_a_waiting_instance_takes_what_its_cohort_holds() -> None:
    session = MemorySession({"t": {"after": ["a", "b"], "run": "app.A", "andEvery": "p"}})
    session.fire("p")
    session.fire("a", n=1)

    session.apply(CloneRequested(instance="t#0"))

    assert bytes(session.view().instances[1].kwargs["a"]) == b'{"n": 1}'


def test_an_update_may_make_untouched_instances_ready() -> None:
    session = MemorySession({"t": {"after": ["a", "b"], "run": "app.A", "unless": ["x", "y"]}})
    session.fire("a")
    session.configure({"t": {"after": ["a"], "run": "app.B", "unless": ["x", "y"]}})
    assert session.statuses() == {"t#0": "unstarted"}

    decision = session.fire("x")

    assert scheduled(decision) == [("t#0", {"a": {}})]


def test_ranges_grow_split_and_vanish() -> None:
    state = TaskState()
    for number in (3, 4, 5, 9):
        add_to_cohort(state, LoadedInstance("t", number, f"t#{number}", Instance(sequence=number, created=0)))
    (cohort,) = state.cohorts

    for number in (4, 7, 9):
        remove_from_cohort(state, number)

    assert (members_of_cohort(cohort), cohort.members) == ([3, 5], [3, 4, 5, 6])
    remove_from_cohort(state, 3)
    remove_from_cohort(state, 5)
    assert state.cohorts == []
