"""The dedupe window holds at least the last 1,024 event ids in a bounded number of rows."""

from __future__ import annotations

import pytest
from tests.support.memory_session import MemorySession

from triggers.core.commands import Outcome
from triggers.core.engine import apply
from triggers.core.events import ReplayRequested, TriggerFired
from triggers.core.state.plans import Plans
from triggers.core.state.rows import MemoryRows, session_prefix
from triggers.core.state.session import Session
from triggers.errors import InstanceNotFound

IDS = 3000


def _fire(number: int) -> TriggerFired:
    return TriggerFired(trigger="a", id=f"id-{number}", position=number, time=1)


@pytest.fixture(scope="module")
def rows() -> MemoryRows:
    """The rows of a session after 3,000 events with ids."""
    rows = MemoryRows()
    session = Session("q", rows, Plans())
    for number in range(IDS):
        apply(session, _fire(number))
        if number % 100 == 0:
            rows.write(session.changes())
    rows.write(session.changes())
    return rows


@pytest.mark.parametrize("back", [1, 2, 31, 32, 33, 500, 1023, 1024])
def test_each_of_the_last_1024_ids_is_a_duplicate_after_a_reload(rows: MemoryRows, back: int) -> None:
    session = Session("q", rows, Plans())

    assert apply(session, _fire(IDS - back)).outcome is Outcome.DUPLICATE


def test_an_id_beyond_the_window_is_new_again(rows: MemoryRows) -> None:
    assert apply(Session("q", rows, Plans()), _fire(0)).outcome is not Outcome.DUPLICATE


def test_the_window_is_a_ring_of_few_rows(rows: MemoryRows) -> None:
    assert sum(key.startswith(session_prefix("q") + b"d") for key in rows) == 32


def test_a_duplicate_is_in_the_index_and_nothing_else_changes() -> None:
    session = MemorySession({"t": {"after": ["a"], "run": "r", "andEvery": "a"}})
    session.apply(TriggerFired(trigger="a", id="one"))
    before = session.view()

    decision = session.apply(TriggerFired(trigger="a", id="one", kwargs=b'{"n": 2}'))

    after = session.view()
    assert (decision.outcome, decision.commands, decision.changed, decision.fires) == (Outcome.DUPLICATE, [], [], [])
    assert (after.instances, after.latest_kwargs) == (before.instances, before.latest_kwargs)
    assert list(session.load().positions()) == [1, 2, 3]


def test_a_duplicate_does_not_move_the_time_of_the_last_change() -> None:
    session = MemorySession()
    session.apply(TriggerFired(trigger="a", id="one"))
    before = session.view().modified

    session.apply(TriggerFired(trigger="a", id="one"))

    assert session.view().modified == before


def test_the_id_of_a_refused_event_may_be_used_again() -> None:
    session = MemorySession({"t": {"after": ["a"], "run": "r"}})
    with pytest.raises(InstanceNotFound):
        session.apply(ReplayRequested(instance="t#0", id="one"))

    assert session.apply(TriggerFired(trigger="a", id="one")).outcome is Outcome.APPLIED


def test_the_index_holds_every_position_in_order_across_its_chunks() -> None:
    session = MemorySession()

    for _ in range(200):
        session.fire("a")

    assert list(session.load().positions()) == list(range(1, 201))
    assert len(session.header().tail) < 64
