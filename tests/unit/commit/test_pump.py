"""The pump with two batches at once, between a member and transactions that the test controls."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from pathlib import Path
from typing import cast

import pytest
from tests.support.decider import Decider
from tests.support.records import fire

from triggers.agent.batch import Batch, process_batch
from triggers.commit.member import Member
from triggers.commit.progress import Progress
from triggers.commit.pump import Pump
from triggers.commit.transaction import Aborted, Transactions
from triggers.core.trace_context import TraceContext
from triggers.kafka.records import Record
from triggers.table.partition_rows import PartitionRows, open_rows
from triggers.telemetry.metrics import Metrics
from triggers.telemetry.spans import Kind, Span

WAIT_S = 10


class Feed:
    """A member whose fetches the test chooses. `None` loses partition 1, and no more fetches end the test."""

    def __init__(self, *fetches: dict[int, list[Record]] | None) -> None:
        self._fetches = deque(fetches)
        self.consuming = frozenset({0, 1})
        self.committed = {0: 0, 1: 0}
        self.rewound = 0
        self.left = False
        self.empty = threading.Event()

    def join_group(self) -> None: ...

    def leave_group(self) -> None:
        self.left = True

    def fetch(self, max_records: int, idle_s: float) -> dict[int, list[Record]]:
        assert max_records > 0
        if not self._fetches:
            self.empty.set()
            threading.Event().wait(idle_s)
            return {}
        found = self._fetches.popleft()
        if found is None:
            self.consuming = frozenset({0})
            found = {}
        return found

    def rewind(self) -> None:
        self.rewound += 1

    def offsets_past_markers(self) -> dict[int, int]:
        return {}

    def lag(self) -> dict[int, int]:
        return {}

    def group_metadata(self) -> object:
        return None


class Journal:
    """Transactions that are recorded. `refused` ones are aborted, and the test can delay each."""

    def __init__(self, *, refused: int = 0) -> None:
        self.committed: list[dict[int, int]] = []
        self.begun = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()
        self._refused = refused

    def fence_and_start(self) -> None: ...

    def commit(self, batch: Batch, group: object) -> dict[int, int]:  # noqa: ARG002
        self.begun.set()
        assert self.go_on.wait(WAIT_S)
        if self._refused:
            self._refused -= 1
            raise Aborted("REFUSED")
        self.committed.append(batch.offsets)
        return {0: 7}


class Setting:
    """A pump between these neighbours. With `max_records` = 1, every batch is full."""

    def __init__(self, feed: Feed, journal: Journal, folder: Path, max_records: int = 1) -> None:
        self.feed, self.journal, self.decider = feed, journal, Decider()
        self.rows: PartitionRows = open_rows(folder, "id", 0)
        self.pump = Pump(
            member=cast("Member", feed),
            transactions=cast("Transactions", journal),
            processor=self.decider,
            hand_over=self._hand_over,
            rows_of=lambda _partition: self.rows,
            progress=Progress(),
            metrics=Metrics(),
            max_records=max_records,
            idle_s=0.01,
            patience_s=WAIT_S,
        )

    async def _hand_over(self, batch: Batch) -> None:
        process_batch(batch, self.decider)

    async def run(self) -> None:
        """Runs the pump until everything is fetched and committed."""
        running = asyncio.create_task(self.pump.run())
        assert await asyncio.to_thread(self.feed.empty.wait, WAIT_S)
        await self.pump.stop()
        await running
        self.rows.close()


def at(offset: int, partition: int = 0) -> dict[int, list[Record]]:
    return {partition: [fire("a", offset=offset)]}


async def test_a_batch_is_decided_while_the_previous_one_is_committed(tmp_path: Path) -> None:
    setting = Setting(Feed(at(0), at(1)), Journal(), tmp_path / "rows")
    setting.journal.go_on.clear()
    running = asyncio.create_task(setting.run())

    assert await asyncio.to_thread(setting.journal.begun.wait, WAIT_S)
    async with asyncio.timeout(WAIT_S):
        await setting.decider.twice.wait()

    assert setting.journal.committed == []
    setting.journal.go_on.set()
    await running
    assert setting.journal.committed == [{0: 1}, {0: 2}]


async def test_decisions_that_follow_a_refused_transaction_are_discarded_with_it(tmp_path: Path) -> None:
    setting = Setting(Feed(at(0), at(1), at(0)), Journal(refused=1), tmp_path / "rows")

    await setting.run()

    assert setting.decider.decided == [{0: 1}, {0: 2}, {0: 1}]
    assert setting.journal.committed == [{0: 1}]
    assert (setting.decider.forgotten, setting.feed.rewound) == (1, 1)


async def test_the_spans_of_a_refused_transaction_are_not_exported(tmp_path: Path) -> None:
    setting = Setting(Feed(at(0), at(1), at(0)), Journal(refused=1), tmp_path / "rows")
    setting.decider.spans = [Span("decide a", Kind.CONSUMER, TraceContext(bytes(24), 1), None, 0)]

    await setting.run()

    assert setting.decider.exported == setting.journal.committed == [{0: 1}]


async def test_decisions_of_a_lost_partition_are_never_committed(tmp_path: Path) -> None:
    setting = Setting(Feed(at(0, partition=1), None, at(5)), Journal(), tmp_path / "rows")

    await setting.run()

    assert setting.journal.committed == [{0: 6}]
    assert (setting.decider.forgotten, setting.feed.rewound) == (1, 1)


async def test_decisions_of_a_retained_partition_are_committed(tmp_path: Path) -> None:
    setting = Setting(Feed(at(0), None), Journal(), tmp_path / "rows")

    await setting.run()

    assert setting.journal.committed == [{0: 1}]
    assert setting.feed.rewound == 0


async def test_a_batch_that_cannot_be_decided_yet_does_not_affect_the_previous_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("triggers.commit.pump._RETRY_PAUSE_S", 0)
    setting = Setting(Feed(at(0), at(1), at(1)), Journal(), tmp_path / "rows")
    setting.decider.too_early = {1}

    await setting.run()

    assert setting.journal.committed == [{0: 1}, {0: 2}]
    assert setting.feed.rewound == 1


async def test_decided_batches_are_committed_before_the_worker_leaves_the_group(tmp_path: Path) -> None:
    setting = Setting(Feed(at(0)), Journal(), tmp_path / "rows")

    await setting.run()

    assert setting.feed.left
    assert setting.journal.committed == [{0: 1}]


async def test_a_truncated_batch_is_committed_and_its_rest_read_again_before_the_next_is_decided(
    tmp_path: Path,
) -> None:
    setting = Setting(Feed(at(0), at(1)), Journal(), tmp_path / "rows")
    setting.decider.cut = {0}
    setting.journal.go_on.clear()
    running = asyncio.create_task(setting.run())

    assert await asyncio.to_thread(setting.journal.begun.wait, WAIT_S)

    assert setting.decider.decided == [{0: 1}]
    assert setting.feed.rewound == 0
    setting.journal.go_on.set()
    await running
    assert setting.journal.committed == [{0: 1}, {0: 2}]
    assert (setting.decider.forgotten, setting.feed.rewound) == (0, 1)


async def test_a_batch_that_is_not_full_is_committed_at_once(tmp_path: Path) -> None:
    setting = Setting(Feed(at(0), at(1)), Journal(), tmp_path / "rows", max_records=2)
    setting.journal.go_on.clear()
    running = asyncio.create_task(setting.run())

    assert await asyncio.to_thread(setting.journal.begun.wait, WAIT_S)

    assert setting.decider.decided == [{0: 1}]
    setting.journal.go_on.set()
    await running
    assert setting.journal.committed == [{0: 1}, {0: 2}]
