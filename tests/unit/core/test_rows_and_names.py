"""Keys of rows and names of instances work for names with any characters."""

from __future__ import annotations

import pytest
from tests.support.memory_session import MemorySession, scheduled

from triggers.core.events import TaskFailed, TaskRetried, TimerFired
from triggers.core.instance_names import parse_instance_name
from triggers.core.state.rows import MemoryRows, due_timers, parse_timer_key, session_prefix, timer_key
from triggers.errors import InstanceNotFound

WEIRD = ["", "#", "a#0", "a\0b", "a/b", " a b ", "größe", "a" * 5000, "\0" * 9, "x:y/z"]


@pytest.mark.parametrize("name", WEIRD)
def test_tasks_and_triggers_may_have_any_name(name: str) -> None:
    session = MemorySession({name: {"after": [name], "andEvery": name, "run": "app.A"}})

    issued = [scheduled(session.fire(name, n=n)) for n in range(2)]

    assert issued == [[(f"{name}#{n}", {name: {"n": n}})] for n in range(2)]
    assert [instance.task for instance in session.view().instances] == [name, name]


@pytest.mark.parametrize("name", WEIRD)
def test_a_timer_is_parsed_from_its_row_under_any_name(name: str) -> None:
    session = MemorySession({name: {"after": ["a"], "run": "app.A"}}, uid=f"u{name}"[:60])
    session.fire("a")

    session.apply(TaskRetried(instance=f"{name}#0", cooldown_ms=5000))

    (timer,) = due_timers(session.rows, 10_000_000)
    assert (timer.session, timer.instance, timer.attempt) == (session.uid, f"{name}#1", 1)
    assert scheduled(session.apply(TimerFired(instance=timer.instance, attempt=timer.attempt)))


def test_nested_names_have_different_rows() -> None:
    session = MemorySession({name: {"after": ["a"], "run": "app.A"} for name in ("t", "t\0", "t#0", "t\0" + "\0" * 8)})

    session.fire("a")

    assert len(session.statuses()) == 4


def test_sessions_whose_names_begin_alike_do_not_see_each_other() -> None:
    short, long = session_prefix("q"), session_prefix("qr")

    assert not long.startswith(short)


@pytest.mark.parametrize(
    "name", ["t", "t#", "#", "t#x", "t#00", "t#-1", "t#+1", "t# 1", "t#٣", "t#1_0", "t#" + "9" * 40]
)
def test_a_name_that_is_not_canonical_names_no_instance(name: str) -> None:
    with pytest.raises(InstanceNotFound):
        parse_instance_name(name)


@pytest.mark.parametrize("name", ["t#7", "t#99999999999999999", "other#0"])
def test_an_instance_that_was_never_created_is_not_found_and_nothing_changes(name: str) -> None:
    session = MemorySession({"t": {"after": ["a"], "run": "app.A"}})
    session.fire("a")
    rows = dict(session.rows)

    with pytest.raises(InstanceNotFound):
        session.apply(TaskFailed(instance=name, exception_type="app.E"))

    assert session.rows == rows


def test_timers_are_found_in_the_order_they_are_due_and_no_further_than_now() -> None:
    rows = MemoryRows({timer_key(due, "q", "t#0", 1): b"\x01" for due in (300, 100, 2**40, 200)})

    assert [timer.due for timer in due_timers(rows, 200)] == [100, 200]
    assert parse_timer_key(timer_key(7, "q", "t#0", 3)) == (7, "q", "t#0", 3, "")
