"""A back-test of a session of edition 2 under its own rules finds no difference, whenever its timers fired."""

from __future__ import annotations

import pytest
from tests.support.edition2.engine_driver import EngineDriver
from tests.support.edition2.histories import CURATED, RANDOM, histories

from triggers.analysis.backtest.assumptions import Assumptions, NewRules
from triggers.analysis.backtest.difference import compare
from triggers.core.events import Event
from triggers.core.state.plans import Plans


def _log(steps: list[dict[str, object]]) -> list[Event]:
    """Returns the events of the session `main`."""
    driver = EngineDriver()
    for step in steps:
        driver.apply({key: value for key, value in step.items() if key != "expect"})
    return [event for uid, event in driver.log if uid == "main"]


@pytest.mark.parametrize(("file", "every", "least"), [(CURATED, 1, 450), (RANDOM, 9, 90)])
def test_the_same_rules_change_nothing(file: str, every: int, least: int) -> None:
    compared = 0
    for history in histories(file, every):
        if any(step["op"] == "publish" for step in history["steps"]) or not (events := _log(history["steps"])):
            continue
        found = compare("main", events, NewRules(rules=b"{}", added=True), Assumptions(), Plans())
        assert (found.changes, found.unjudged, found.open, found.forwards) == ([], [], [], []), history["id"]
        assert set(found.results) <= {"recorded"}, history["id"]
        compared += 1
    assert compared >= least
