"""Payloads stay verbatim, are shared, and are deleted when nothing refers to them."""

from __future__ import annotations

import pytest
from tests.support.memory_session import MemorySession, scheduled

from triggers.core.engine import apply
from triggers.core.events import ReplayRequested, TaskFailed, TaskFinished, TriggerFired
from triggers.core.state.rows import header_key, session_prefix
from triggers.errors import TriggersError

RULES = {"t": {"after": ["a", "b"], "run": "app.A"}}
MIDDLING = 300 * "x"
"""Kwargs that are too large for a header and small enough for the row of an instance."""


def _rows_of(session: MemorySession, kind: bytes) -> int:
    return sum(key.startswith(session_prefix(session.uid) + kind) for key in session.rows)


@pytest.mark.parametrize("large", ["", 100 * "x"])
@pytest.mark.parametrize("trigger", ["a", "unused"])
def test_a_trigger_fired_again_and_again_leaves_no_payloads_behind(trigger: str, large: str) -> None:
    session = MemorySession(RULES)
    session.fire("a", first=large)
    before = _rows_of(session, b"p") + _rows_of(session, b"l")

    for number in range(500):
        session.fire(trigger, n=number, filler=large)

    assert _rows_of(session, b"p") + _rows_of(session, b"l") <= before + 1
    assert session.latest() == {"a": {"first": large}} | {trigger: {"n": 499, "filler": large}}


def test_a_result_and_the_kwargs_of_its_cascade_are_one_payload() -> None:
    session = MemorySession({"t_a": {"after": ["a"], "run": "r"}, "t_b": {"after": ["t_a", "z"], "run": "r"}})
    session.fire("a")

    result = b'{"r": "' + 100 * b"x" + b'"}'

    session.apply(TaskFinished(instance="t_a#0", result=result))

    assert _rows_of(session, b"p") == 1
    assert bytes(session.view().instances[0].metadata["result"]) == result


def test_a_small_payload_takes_no_row() -> None:
    session = MemorySession(RULES)

    session.fire("a", n=1)

    assert _rows_of(session, b"p") == 0
    assert session.latest() == {"a": {"n": 1}}


def test_kwargs_that_one_instance_holds_are_in_its_row() -> None:
    session = MemorySession({"t": {"after": ["z"], "andEvery": "a", "run": "r"}})

    for number in range(3):
        session.fire("a", n=number, filler=MIDDLING)

    assert _rows_of(session, b"p") == 0
    assert session.latest() == {"a": {"n": 2, "filler": MIDDLING}}
    assert scheduled(session.fire("z")) == [
        (f"t#{number}", {"a": {"n": number, "filler": MIDDLING}, "z": {}}) for number in range(3)
    ]


def test_kwargs_that_a_waiting_instance_holds_outlive_the_change_to_edition_2() -> None:
    session = MemorySession(RULES)
    session.fire("a", filler=MIDDLING)

    session.configure({"$edition": 2, "t_next": {"after": [{"trigger": "a", "count": 1}, "b"], "run": "app.B"}})

    assert session.latest() == {"a": {"filler": MIDDLING}}
    received = {"a": {"filler": MIDDLING}, "b": {}}
    assert scheduled(session.fire("b")) == [("t#0", received), ("t_next#0", received)]


def test_kwargs_that_start_the_only_waiting_instance_are_in_its_row() -> None:
    session = MemorySession(RULES)
    session.fire("a")

    decision = session.fire("b", filler=MIDDLING)

    assert scheduled(decision) == [("t#0", {"a": {}, "b": {"filler": MIDDLING}})]
    assert _rows_of(session, b"p") == 0
    assert session.latest() == {"a": {}, "b": {"filler": MIDDLING}}


def test_kwargs_of_an_instance_that_keeps_waiting_are_not_stored_in_the_header() -> None:
    session = MemorySession({"t": {"after": ["a", "b", "c"], "run": "r"}})
    session.fire("a")

    session.fire("b", filler=MIDDLING)

    assert _rows_of(session, b"p") == 1
    assert len(session.rows[header_key(session.uid)]) < len(MIDDLING)
    assert scheduled(session.fire("c")) == [("t#0", {"a": {}, "b": {"filler": MIDDLING}, "c": {}})]


def test_kwargs_become_a_shared_payload_when_a_second_instance_gets_them_later() -> None:
    rules = {"t_a": {"after": [], "andEvery": "a", "run": "r"}, "t_b": {"after": ["a"], "andEvery": "b", "run": "r"}}
    session = MemorySession(rules)
    session.fire("a", filler=100 * "0")  # t_b's first instance gets these
    session.fire("a", filler=MIDDLING)
    rows = _rows_of(session, b"p")

    taken = [scheduled(session.fire("b")) for _ in range(3)]

    assert _rows_of(session, b"p") == rows + 1
    assert taken[1:] == [[(f"t_b#{number}", {"a": {"filler": MIDDLING}, "b": {}})] for number in (1, 2)]


def test_kwargs_that_several_instances_get_at_once_are_also_stored_as_a_payload() -> None:
    session = MemorySession({f"t_{n}": {"after": ["a"], "run": "r"} for n in range(3)})

    decision = session.fire("a", filler=MIDDLING)

    assert scheduled(decision) == [(f"t_{n}#0", {"a": {"filler": MIDDLING}}) for n in range(3)]
    assert _rows_of(session, b"p") == 1
    assert session.latest() == {"a": {"filler": MIDDLING}}


def test_large_kwargs_have_a_row_of_their_own() -> None:
    session = MemorySession({"t": {"after": ["a"], "run": "r"}})

    session.fire("a", filler=600 * "x")

    assert _rows_of(session, b"p") == 1
    assert session.latest() == {"a": {"filler": 600 * "x"}}


@pytest.mark.parametrize(
    "text", [b'{"n": 1.10, "big": 123456789012345678901234567890}', b'{"b":null,"a":"\\u00fc\\/"}', b'{ "x" : 1e5 }']
)
def test_kwargs_reach_the_task_as_they_were_written(text: bytes) -> None:
    session = MemorySession({"t": {"after": ["a"], "run": "r"}})

    (command,) = session.apply(TriggerFired(trigger="a", kwargs=text)).commands

    assert getattr(command, "kwargs", b"") == b'{"a":' + text + b"}"


def test_params_merge_at_every_depth_and_fired_values_win_verbatim() -> None:
    params = {"a": {"k": {"x": 1, "y": [1]}, "n": 0}, "other": {"z": 1}}
    session = MemorySession({"t": {"after": ["a"], "run": "r", "withParams": params}})

    (command,) = session.apply(TriggerFired(trigger="a", kwargs=b'{"k":{"y":null},"n":1.0}')).commands

    assert scheduled(session.apply(TriggerFired(trigger="a"))) == []
    assert b'"n":1.0' in getattr(command, "kwargs", b"")
    assert b'"k":{"x":1,"y":null}' in getattr(command, "kwargs", b"")
    assert b'"other":{"z": 1}' in getattr(command, "kwargs", b"")


def test_latest_kwargs_of_an_unused_trigger_seed_a_task_that_is_added_later() -> None:
    session = MemorySession(RULES)
    session.fire("later", n=1)
    session.configure({"t_new": {"after": ["later", "go"], "run": "r"}})

    decision = session.fire("go")

    assert scheduled(decision) == [("t_new#0", {"go": {}, "later": {"n": 1}})]
    assert _rows_of(session, b"l") == 0


def test_a_cascade_replaces_kwargs_that_the_application_fired_under_the_same_name() -> None:
    session = MemorySession({"t_a": {"after": ["a"], "run": "r"}})
    session.fire("t_a", n=1)
    session.fire("a")

    session.apply(TaskFinished(instance="t_a#0", result=b'{"r": 2}'))

    assert session.latest() == {"a": {}, "t_a": {"r": 2}}


def test_replacement_kwargs_that_are_no_object_are_refused_before_any_change() -> None:
    session = MemorySession(RULES)
    session.fire("a")
    session.fire("b")
    session.apply(TaskFailed(instance="t#0", exception_type="app.E"))
    loaded = session.load()

    with pytest.raises(TriggersError):
        apply(loaded, ReplayRequested(instance="t#0", replacement_kwargs=b"[1]"))

    assert loaded.changes() == {}
