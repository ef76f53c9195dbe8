"""The pump with two batches at once, between a member and transactions that the test controls."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.support.pumps import WAIT_S, Feed, Journal, Setting, at

from triggers.core.trace_context import TraceContext
from triggers.telemetry.spans import Kind, Span


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


async def test_limits_are_read_again_before_a_batch_that_a_topic_refused_is_decided_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("triggers.agent.consumer.pump._RETRY_PAUSE_S", 0)
    setting = Setting(Feed(at(0), at(1), at(0)), Journal(refused=1, is_too_large=True), tmp_path / "rows")

    await setting.run()

    assert [refused.batch.offsets for refused in setting.refused] == [{0: 1}]
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
    monkeypatch.setattr("triggers.agent.consumer.pump._RETRY_PAUSE_S", 0)
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
