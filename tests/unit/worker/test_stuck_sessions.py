"""The stuck sessions of a worker's partitions are counted in slices, and only for partitions that it has."""

from __future__ import annotations

import pytest
from tests.support.indexed_rows import IndexedRows

from triggers.agent.consumer.progress import Progress
from triggers.core.state.rows import Rows
from triggers.store.partition_rows import PartitionClosed
from triggers.worker import stuck_sessions
from triggers.worker.stuck_sessions import StuckSessions

RULES = {"t_ship": {"after": ["paid"], "run": "ship"}, "t_thank": {"after": ["t_ship", "known"], "run": "thank"}}
HOUR = 3_600_000


@pytest.fixture
def partition(monkeypatch: pytest.MonkeyPatch) -> IndexedRows:
    """Forty sessions: done, waiting, and waiting for a failed instance."""
    monkeypatch.setattr(stuck_sessions, "_LEAST_PAUSE_S", 0.0)
    monkeypatch.setattr(stuck_sessions, "_PAUSE", 0.0)
    monkeypatch.setattr(stuck_sessions, "SLICE_ROWS", 3)
    rows = IndexedRows()
    for number in range(40):
        uid = f"s-{number:02}"
        rows.configure(uid, RULES)
        rows.fire(uid, "paid")
        if number % 4 == 0:
            rows.fail(uid, "t_ship#0")
        elif number % 4 == 1:
            rows.finish(uid, "t_ship#0")
            rows.fire(uid, "known")
            rows.finish(uid, "t_thank#0")
    return rows


def progress_of(*partitions: int) -> Progress:
    progress = Progress()
    for partition in partitions:
        progress.advance({partition: 1})
    return progress


def figures(stuck: StuckSessions) -> dict[int, tuple[int, int]]:
    return {partition: (count.silent, count.behind_failure) for partition, count in stuck.counts().items()}


def test_sessions_behind_a_failure_are_stuck_at_once_and_silent_ones_after_the_time(partition: IndexedRows) -> None:
    now = [partition.now]
    stuck = StuckSessions(progress_of(0), lambda _: partition.rows, HOUR, lambda: now[0])
    assert figures(stuck) == {}

    stuck.count_all()
    assert figures(stuck) == {0: (0, 10)}

    now[0] += 2 * HOUR
    stuck.count_all()
    assert figures(stuck) == {0: (20, 10)}


def test_a_partition_that_moves_away_is_not_counted(partition: IndexedRows) -> None:
    moving = [False]

    def rows_of(number: int) -> Rows:
        if moving[0] and number == 1:
            raise PartitionClosed(1)
        return partition.rows

    stuck = StuckSessions(progress_of(0, 1), rows_of, HOUR, lambda: partition.now)
    stuck.count_all()
    assert figures(stuck) == {0: (0, 10), 1: (0, 10)}
    moving[0] = True

    stuck.count_all()

    assert figures(stuck)[0] == (0, 10)


def test_a_count_that_is_stopped_leaves_no_half_of_one(partition: IndexedRows) -> None:
    stuck = StuckSessions(progress_of(0), lambda _: partition.rows, HOUR, lambda: partition.now)
    stuck.stop()

    stuck.count_all()

    assert figures(stuck) == {}
