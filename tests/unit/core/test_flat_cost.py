"""An event writes no more rows than it must, and the same number of bytes however many rules ignore it."""

from __future__ import annotations

import json

import pytest
from tests.support.memory_session import MemorySession

from triggers.core.engine import apply
from triggers.core.events import ConfigurationUpdated, TriggerFired
from triggers.core.state.rows import configuration_key, header_key, instance_suffix, session_prefix

OTHERS = {f"t_{n}": {"after": [f"x{n}", "never"], "run": "app.A"} for n in range(200)}
RULES = {"t_page": {"after": ["subject"], "andEvery": "page", "run": "app.Page"}}


def _header_bytes(session: MemorySession) -> int:
    return len(session.rows[header_key(session.uid)])


@pytest.mark.parametrize("edition", [1, 2])
def test_rules_that_nothing_has_touched_take_no_room_in_the_header(edition: int) -> None:
    with_others, alone = (
        MemorySession(RULES | OTHERS | {"$edition": edition}),
        MemorySession(RULES | {"$edition": edition}),
    )

    with_others.fire("page")
    alone.fire("page")

    assert _header_bytes(with_others) == _header_bytes(alone)


def test_rules_that_other_triggers_have_touched_do_not_make_the_header_grow() -> None:
    session = MemorySession(RULES | OTHERS)

    for number in range(200):
        session.fire(f"x{number}")

    assert _header_bytes(session) < 3000


@pytest.mark.parametrize("edition", [1, 2])
def test_rules_of_a_new_session_change_no_rows_of_theirs(edition: int) -> None:
    session = MemorySession()
    loaded, rules = session.load(), json.dumps(RULES | OTHERS | {"$edition": edition})

    apply(loaded, ConfigurationUpdated(configuration=rules.encode(), position=1, time=1000))

    assert loaded.changes().keys() == {header_key(session.uid), configuration_key(loaded.plan.digest)}


@pytest.mark.parametrize("edition", [1, 2])
def test_an_instance_that_starts_at_once_changes_its_row_and_the_header(edition: int) -> None:
    session = MemorySession(RULES | {"$edition": edition})
    session.fire("subject")
    session.fire("page", filler=200 * "x")
    loaded = session.load()

    apply(loaded, TriggerFired(trigger="page", kwargs=b'{"filler":"%s"}' % (200 * b"x"), position=9, time=9000))

    prefix = session_prefix(session.uid)
    assert loaded.changes().keys() == {header_key(session.uid), prefix + instance_suffix("t_page", 1)}
