"""Batches that wait for others, and events that are collected before a transaction."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from tests.support.pumps import IDLE_S, WAIT_S, Feed, Journal, Setting, at


async def test_a_batch_that_nobody_waits_for_is_committed_with_the_next_one(tmp_path: Path) -> None:
    setting = Setting(Feed(at(0), at(1), at(2, partition=1)), Journal(), tmp_path / "rows", max_records=9, linger_s=60)
    setting.decider.kept = {0, 1}

    await setting.run()

    assert setting.decider.decided == [{0: 1}, {0: 2}, {0: 2, 1: 3}]
    assert setting.journal.committed == [{0: 2, 1: 3}]


async def test_a_kept_batch_is_committed_when_its_time_is_over(tmp_path: Path) -> None:
    setting = Setting(Feed(at(0)), Journal(), tmp_path / "rows", max_records=9, linger_s=0.02)
    setting.decider.kept = {0}
    running = asyncio.create_task(setting.pump.run())

    assert await asyncio.to_thread(setting.journal.begun.wait, WAIT_S)

    await setting.pump.stop()
    await running
    setting.rows.close()
    assert setting.journal.committed == [{0: 1}]


async def test_a_kept_batch_is_committed_before_the_worker_leaves_the_group(tmp_path: Path) -> None:
    setting = Setting(Feed(at(0)), Journal(), tmp_path / "rows", max_records=9, linger_s=60)
    setting.decider.kept = {0}

    await setting.run()

    assert setting.feed.left
    assert setting.journal.committed == [{0: 1}]


async def test_a_kept_batch_that_becomes_full_is_committed_while_the_next_one_is_decided(tmp_path: Path) -> None:
    setting = Setting(Feed(at(0), at(1), at(2)), Journal(), tmp_path / "rows", max_records=2, linger_s=60)
    setting.decider.kept = {0, 1, 2}

    await setting.run()

    assert setting.decider.decided == [{0: 1}, {0: 2}, {0: 3}]
    assert setting.journal.committed == [{0: 2}, {0: 3}]


async def test_a_kept_batch_is_dropped_with_a_partition_that_is_lost(tmp_path: Path) -> None:
    feed = Feed(at(0, partition=1), None, at(5))
    setting = Setting(feed, Journal(), tmp_path / "rows", max_records=9, linger_s=60)
    setting.decider.kept = {0}

    await setting.run()

    assert setting.journal.committed == [{0: 6}]
    assert (setting.decider.forgotten, setting.feed.rewound) == (1, 1)


async def test_a_kept_batch_is_read_again_if_the_events_after_it_cannot_be_decided_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("triggers.agent.consumer.pump._RETRY_PAUSE_S", 0)
    setting = Setting(Feed(at(0), at(1), {0: at(0)[0] + at(1)[0]}), Journal(), tmp_path / "rows", 9, linger_s=60)
    setting.decider.kept, setting.decider.too_early = {0}, {1}

    await setting.run()

    assert setting.journal.committed == [{0: 2}]
    assert (setting.decider.forgotten, setting.feed.rewound) == (1, 1)


async def test_a_fetch_waits_for_the_first_event_only_as_long_as_a_batch_may_be_kept(tmp_path: Path) -> None:
    setting = Setting(Feed(at(0), at(1)), Journal(), tmp_path / "rows", max_records=9, linger_s=60)
    setting.decider.kept = {0}

    await setting.run()

    (idle, _), (kept, _), *_ = setting.feed.waits
    assert idle == IDLE_S
    assert 0 < kept <= setting.linger_s


async def test_after_a_transaction_events_are_collected_until_its_interval_is_over(tmp_path: Path) -> None:
    setting = Setting(Feed(at(0), at(1)), Journal(), tmp_path / "rows", max_records=9, interval_s=60)
    before = time.monotonic()

    await setting.run()

    (_, at_once), (_, later), *_ = setting.feed.waits
    assert at_once < before
    assert before + 60 <= later <= time.monotonic() + 60


async def test_a_full_batch_waits_neither_for_events_nor_for_an_interval(tmp_path: Path) -> None:
    setting = Setting(Feed(at(0), at(1), at(2)), Journal(), tmp_path / "rows", interval_s=60, linger_s=60)

    await setting.run()

    assert setting.feed.waits[1:3] == [(0.0, 0.0), (0.0, 0.0)]
