"""Calls to Kafka that never return: a starting worker repeats its query, and a restoring one is restarted."""

from __future__ import annotations

import asyncio
import threading

import pytest

from triggers.agent.faust.recovery import watch_restore
from triggers.kafka import installed_topics
from triggers.kafka.installed_topics import InstalledTopics, wait_for_topics
from triggers.process.exits import ExitCode, Stop
from triggers.settings import Settings

TOPICS = InstalledTopics(partitions=4, changelog_id="id", changelog_retention_s=1, max_record_bytes={})


async def test_a_worker_whose_first_query_hangs_repeats_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Settings] = []
    for_ever = threading.Event()

    def look(settings: Settings) -> InstalledTopics:
        asked.append(settings)
        if len(asked) == 1:
            for_ever.wait()
        return TOPICS

    monkeypatch.setattr(installed_topics, "_read_topics", look)
    monkeypatch.setattr(installed_topics, "_HANGS_AFTER_S", 0.1)

    assert await wait_for_topics(Settings()) == TOPICS
    assert len(asked) == 2
    for_ever.set()


async def test_a_restore_that_shows_no_sign_of_life_ends_the_worker() -> None:
    with pytest.raises(Stop, match="has made no progress for 1000 s") as stopped:
        await watch_restore(asyncio.sleep(60), lambda: 1000.0, 0.01)

    assert stopped.value.code == ExitCode.BROKER


async def test_a_slow_restore_that_makes_progress_is_not_ended() -> None:
    async def restore() -> str:
        await asyncio.sleep(0.1)
        return "done"

    assert await watch_restore(restore(), lambda: 1.0, 0.01) == "done"


async def test_the_error_of_a_restore_is_raised() -> None:
    async def restore() -> str:
        raise ValueError("no room")

    with pytest.raises(ValueError, match="no room"):
        await watch_restore(restore(), lambda: 1.0, 0.01)
