"""An import refuses wrong states before anything is changed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.support.memory_session import MemorySession, scheduled

from triggers.core.commands import Outcome
from triggers.core.events import SessionImported
from triggers.errors import CallError, InvalidConfiguration, SessionExists

RULES = {"t_a": {"after": ["go", "late"], "run": "app.a"}}


def an_import(instances: list[dict[str, Any]] | None = None, **more: object) -> SessionImported:
    state = {"configuration": RULES, "instances": instances or [], "latest_kwargs": {"go": {"n": 1}}} | more
    return SessionImported(state=json.dumps(state).encode(), id="import/q-1")


def test_an_imported_instance_waits_for_what_is_missing() -> None:
    session = MemorySession()
    session.apply(an_import([{"name": "t_a#0", "kwargs": {"go": {"n": 1}}}]))

    assert scheduled(session.fire("late")) == [("t_a#0", {"go": {"n": 1}, "late": {}})]


def test_a_second_import_with_the_same_id_changes_nothing() -> None:
    session = MemorySession()
    session.apply(an_import())

    assert session.apply(an_import()).outcome is Outcome.DUPLICATE


def test_an_import_does_not_overwrite_an_existing_session() -> None:
    session = MemorySession(RULES)

    with pytest.raises(SessionExists, match="q-1"):
        session.apply(an_import())


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (an_import([{"name": "t_a#1"}]), "'t_a#1' is out of order; the next of its task must be 't_a#0'"),
        (an_import([{"name": "t_b#0"}]), "has no task 't_b'"),
        (an_import([{"name": "t_a"}]), "'t_a' is not an instance name"),
        (an_import([{"name": "t_a#0", "parent": "t_a#0"}]), "its parent 't_a#0' must have a lower number"),
        (an_import([{"name": "t_a#0", "attempt": -1}]), "attempt"),
        (an_import([{"name": "t_a#0", "colour": 1}]), "colour"),
        (an_import(configuration=[]), "JSON object"),
        (an_import(configuration={"$edition": 2} | RULES), "an imported session has rules of edition 1 only"),
        (SessionImported(state=b"[]"), "the state of an imported session"),
    ],
)
def test_a_state_that_is_none_is_refused_and_changes_nothing(wrong: SessionImported, message: str) -> None:
    session = MemorySession()

    with pytest.raises((CallError, InvalidConfiguration), match=message):
        session.apply(wrong)

    assert session.rows == {}
