"""Triggers that are fired before a session gets rules of edition 2 count with the times at which they were fired."""

from __future__ import annotations

import json

import pytest
from tests.support.memory_session import MemorySession

from triggers.core.engine import apply
from triggers.core.events import ConfigurationUpdated, RulesPublished, TriggerFired
from triggers.core.state.plans import Plans
from triggers.core.state.row_kinds import HOT_TRIGGERS

SHIPS = {
    "$edition": 2,
    "t_ship": {"after": [{"sequence": ["packed", "loaded"], "within": "6s"}], "run": "shop.ship"},
}
OTHERS = HOT_TRIGGERS + 5


def _fire(session: MemorySession, trigger: str, at: int) -> list[str]:
    session.apply_at(TriggerFired(trigger=trigger, kwargs=b"{}"), now=at)
    return list(session.statuses().values())


def _configure(session: MemorySession, rules: dict[str, object], at: int) -> None:
    session.apply_at(ConfigurationUpdated(configuration=json.dumps(rules).encode()), now=at)


@pytest.mark.parametrize("others", [0, 1, OTHERS])
@pytest.mark.parametrize(("loaded", "status"), [(7_000, "scheduled"), (7_001, "unstarted")])
def test_a_window_begins_when_its_first_trigger_was_fired(others: int, loaded: int, status: str) -> None:
    session = MemorySession()

    _fire(session, "packed", 1_000)
    for number in range(others):
        _fire(session, f"other {number}", 5_000)
    _configure(session, SHIPS, 6_000)
    _fire(session, "noticed", 6_500)

    assert _fire(session, "loaded", loaded) == [status]


def test_so_does_one_of_a_session_with_published_rules_of_edition_1() -> None:
    session = MemorySession()
    noting = b'{"t_note":{"after":[],"andEvery":"packed","run":"app.note"}}'
    published = RulesPublished(name="strays", version=1, configuration=noting, is_default=True)
    session.rows.write(Plans().publish(published, session.rows))

    _fire(session, "packed", 1_000)
    _fire(session, "noticed", 5_000)
    _configure(session, SHIPS, 6_000)

    assert session.view().rules is not None
    assert _fire(session, "loaded", 7_001)[-1] == "unstarted"


def test_a_sequence_has_the_order_of_the_latest_fires() -> None:
    session = MemorySession()
    for trigger in ("packed", "loaded", "packed"):
        _fire(session, trigger, 1_000)

    _configure(session, SHIPS, 1_000)

    assert _fire(session, "noticed", 1_000) == []
    assert _fire(session, "loaded", 1_000) == ["scheduled"]


def test_the_rows_do_not_depend_on_how_the_events_are_batched() -> None:
    one_by_one = MemorySession()
    for number in range(OTHERS):
        _fire(one_by_one, f"other {number}", 1_000)
    _configure(one_by_one, SHIPS, 2_000)
    at_once = MemorySession()
    session = at_once.load()

    for event in one_by_one.log:
        apply(session, event)
    at_once.rows.write(session.changes())

    assert at_once.rows == one_by_one.rows
    assert len(session.latest.all()) == OTHERS
