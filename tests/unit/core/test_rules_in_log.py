"""A whole partition's log is read session by session, each with the published rules that it needs."""

from __future__ import annotations

from collections import defaultdict

import pytest
from tests.support.edition2.engine_driver import EngineDriver
from tests.support.edition2.histories import CURATED, RANDOM, histories
from tests.unit.core.test_binding import fold, state_of

from triggers.core.events import Event, RulesPublished, TriggerFired
from triggers.core.rules_in_log import RulesInLog


def publication(name: str, version: int, *match: str, existing: str = "keep") -> RulesPublished:
    return RulesPublished(name=name, version=version, configuration=b"{}", match=list(match), existing=existing)


def names(log: RulesInLog, uid: str, rules: str | None = None) -> list[tuple[str, int]]:
    return [(each.name, each.version) for each in log.before(uid, TriggerFired(trigger="x", rules=rules))]


def test_a_session_gets_the_rules_that_it_begins_with_once() -> None:
    log = RulesInLog()
    log.publish(publication("a", 1, "s*"))
    log.publish(publication("b", 1, "t*"))

    assert names(log, "s1") == [("a", 1)]
    assert names(log, "s1") == []
    assert names(log, "t1", rules="a") == [("a", 1), ("b", 1)]


def test_a_session_gets_a_later_version_of_its_rules_at_its_next_event() -> None:
    log = RulesInLog()
    log.publish(publication("a", 1, "s*"))
    assert names(log, "s1") == [("a", 1)]

    log.publish(publication("a", 2, "s*", existing="adopt"))
    log.publish(publication("a", 3, "s*"))

    assert sorted(names(log, "s1")) == [("a", 2), ("a", 3)]
    assert sorted(names(log, "s2")) == [("a", 2), ("a", 3)]


def test_a_version_that_is_published_again_is_no_other_one() -> None:
    log = RulesInLog()
    log.publish(publication("a", 2, "s*"))
    log.publish(publication("a", 1, "x*"))

    assert names(log, "s1") == [("a", 2)]
    assert names(log, "x1") == []


@pytest.mark.parametrize(("file", "every"), [(CURATED, 1), (RANDOM, 8)])
def test_a_scan_of_the_log_folds_each_session_to_its_state(file: str, every: int) -> None:
    folded = 0
    for history in histories(file, every):
        if any(step["op"] == "publish" for step in history["steps"]):
            driver, log, sessions = EngineDriver(), RulesInLog(), defaultdict[str, list[Event]](list)
            for step in history["steps"]:
                driver.apply(step)
            for uid, event in driver.log:
                if isinstance(event, RulesPublished):
                    log.publish(event)
                else:
                    sessions[uid] += [*log.before(uid, event), event]
            for uid, events in sessions.items():
                folded += 1
                assert fold(uid, events) == state_of(uid, driver.rows), (history["id"], uid)
    assert folded >= 15
