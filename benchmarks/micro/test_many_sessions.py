"""Measures whether the cost of an event grows with the number of sessions in a partition on disk."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.micro.stored_session import PLANS, UID, StoredSession, encode, stored_session
from triggers.core.engine import apply
from triggers.core.events import Event
from triggers.core.state.rows import Changes
from triggers.core.state.session import Session
from triggers.store.partition_rows import PartitionRows

EVENTS = 1000
ROUNDS = 10
_AT_ONCE = 1000
_QUIET_S = 0.02


@pytest.mark.parametrize("sessions", [10_000, 1_000_000])
def test_stored_sessions(benchmark: BenchmarkFixture, tmp_path: Path, sessions: int) -> None:
    stored = stored_session(1)
    rows = PartitionRows(tmp_path / "rows", "no topic")
    _fill(rows, stored, sessions)
    _settle()
    chance = random.Random(2017)
    events = stored.next_events(EVENTS)

    def setup() -> tuple[tuple[list[str]], dict[str, object]]:
        return ([_uid(chance.randrange(sessions)) for _ in range(EVENTS)],), {}

    benchmark.extra_info["events"] = EVENTS
    benchmark.pedantic(partial(_run, rows, events), setup=setup, rounds=ROUNDS, warmup_rounds=2)
    rows.close()


def _run(rows: PartitionRows, events: list[Event], uids: list[str]) -> None:
    """Processes a batch: it reads, decides and encodes each session, and then writes all rows at once."""
    batch: Changes = {}
    for uid, event in zip(uids, events, strict=True):
        session = Session(uid, rows, PLANS)
        encode(apply(session, event))
        batch.update(session.changes())
    rows.write(batch, None)


def _fill(rows: PartitionRows, stored: StoredSession, sessions: int) -> None:
    for first in range(0, sessions, _AT_ONCE):
        rows.write(dict(_copies(stored, range(first, first + _AT_ONCE))), None)


def _settle() -> None:
    """Waits until RocksDB has stopped compacting, because the CPU time of its threads counts."""
    used = -1.0
    while time.process_time() - used > _QUIET_S:
        used = time.process_time()
        time.sleep(0.5)


def _copies(stored: StoredSession, numbers: range) -> Iterator[tuple[bytes, bytes]]:
    """Yields the rows of one session as rows of many. UIDs must have the same length, which is part of the keys."""
    template = UID.encode()
    for number in numbers:
        uid = _uid(number).encode()
        yield from ((key.replace(template, uid), row) for key, row in stored.rows.items())


def _uid(number: int) -> str:
    return f"questionnaire-1-{number:06d}"
