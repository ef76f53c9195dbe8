"""Sessions of edition 2 in any batches: what is kept from event to event and what is written comes to the same rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import cycle

import pytest
from tests.support.edition2.engine_driver import EngineDriver
from tests.support.edition2.histories import RANDOM, histories
from tests.support.edition2.state import Json

from triggers.core.engine import apply
from triggers.core.events import Event
from triggers.core.plan_checks import accept_every_plan
from triggers.core.state.plans import Plans
from triggers.core.state.rows import MemoryRows
from triggers.core.state.session import Session

HISTORIES = [
    history
    for history in histories(RANDOM, every=11)
    if not any(step["op"] == "publish" or "rules" in step for step in history["steps"])
]


@pytest.mark.parametrize("sizes", [(2,), (1, 5, 3, 8), (1_000,)])
def test_any_batches_give_the_same_rows(sizes: tuple[int, ...]) -> None:
    for history in HISTORIES:
        driver = _driven(history)
        assert _folded(driver.log, cycle(sizes)) == driver.rows, history["id"]


def _driven(history: Json) -> EngineDriver:
    """Every event is a batch."""
    driver = EngineDriver()
    for step in history["steps"]:
        driver.apply({key: value for key, value in step.items() if key != "expect"})
    return driver


def _folded(log: Iterable[tuple[str, Event]], sizes: Iterator[int]) -> MemoryRows:
    """Sessions are kept over the batches, their changes written at the end of each."""
    rows, plans, sessions, left = MemoryRows(), Plans(accept_every_plan), dict[str, Session](), 0
    for uid, event in log:
        session = sessions.setdefault(uid, Session(uid, rows, plans))
        apply(session, event)
        left -= 1
        if left <= 0:
            left = next(sizes)
            for written in sessions.values():
                rows.write(written.changes())
    for written in sessions.values():
        rows.write(written.changes())
    return rows
