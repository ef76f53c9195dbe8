"""`triggers stats` and `triggers list --stuck` call the same sessions stuck."""

from __future__ import annotations

from collections import defaultdict

import pytest
from msgspec.structs import replace
from tests.property.test_replayed_logs import random_log
from tests.support.indexed_rows import SECOND, IndexedRows

from triggers.analysis.stats.statistics import Counting, Period
from triggers.core.events import ConfigurationUpdated, Event, TaskFailed, TriggerFired
from triggers.queries import SessionQuery
from triggers.queries.partition_search import PartitionSearch

RULES = b'{"$edition": 2, "t_bill": {"after": ["order"], "run": "a"}, "t_ship": {"after": ["t_bill"], "run": "a"}}'
DELAYED = b'{"$edition": 2, "t_late": {"after": ["order"], "delay": "30d", "run": "a"}}'
ORDER = TriggerFired(trigger="order")
FAILED = TaskFailed(instance="t_bill#0", exception_type="app.E")
EDITION_2: dict[str, list[Event]] = {
    "behind a failure": [ConfigurationUpdated(configuration=RULES), ORDER, FAILED],
    "delayed": [ConfigurationUpdated(configuration=DELAYED), ORDER],
    "nothing begun": [ConfigurationUpdated(configuration=RULES)],
    "under way": [ConfigurationUpdated(configuration=RULES), ORDER],
}


@pytest.fixture(scope="module")
def partition() -> tuple[IndexedRows, dict[str, list[Event]]]:
    """Random sessions of edition 1 and some of edition 2, each after the other, and the log of each."""
    rows, logs = IndexedRows(), defaultdict[str, list[Event]](list)
    sessions = {f"random {seed}": random_log(seed) for seed in range(8)} | EDITION_2
    for uid, events in sessions.items():
        for event in events:
            rows.apply(uid, event)
            logs[uid].append(replace(event, time=rows.now))
    return rows, logs


@pytest.mark.parametrize("quiet_s", [0, 2, 5, 100, 400, 10_000])
def test_what_is_stuck_in_the_statistics_is_what_a_search_finds(
    partition: tuple[IndexedRows, dict[str, list[Event]]], quiet_s: int
) -> None:
    rows, logs = partition
    quiet = quiet_s * SECOND
    query = SessionQuery(stuck_ms=quiet)

    page = PartitionSearch(rows.rows, rows.plans, query, rows.now).find("", len(logs), 1_000_000)

    assert {uid for uid, log in logs.items() if _is_stuck(uid, log, rows.now, quiet)} == {
        session.uid for session in page.sessions
    }
    assert {"behind a failure"} <= {session.uid for session in page.sessions} < set(logs)


def _is_stuck(uid: str, log: list[Event], now: int, quiet: int) -> bool:
    counting = Counting(Period(since=0, until=now, stuck_since=now - quiet))
    counting.add(uid, log)
    found = counting.result()
    assert all(row.examples == [uid] for row in found.stuck)
    return found.stuck_sessions == 1
