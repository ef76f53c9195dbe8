from __future__ import annotations

import asyncio

from triggers.agent.consumer.progress import Progress


async def test_a_read_waits_until_the_record_is_processed() -> None:
    progress = Progress()
    progress.replace_partitions({0: 5})
    waiting = asyncio.create_task(progress.wait_for(0, 7, timeout_s=5))
    await asyncio.sleep(0)

    progress.advance({0: 7})
    await asyncio.sleep(0)
    assert not waiting.done()

    progress.advance({0: 8})
    assert await waiting


async def test_a_read_of_something_processed_does_not_wait() -> None:
    progress = Progress()
    progress.replace_partitions({0: 5})

    assert await progress.wait_for(0, 4, timeout_s=0)


async def test_a_wait_times_out() -> None:
    progress = Progress()
    progress.replace_partitions({0: 5})

    assert not await progress.wait_for(0, 5, timeout_s=0.01)


def test_only_the_partitions_started_last_can_be_read() -> None:
    progress = Progress()
    progress.replace_partitions({0: 5, 1: 5})

    progress.replace_partitions({1: 9})

    assert progress.partitions == {1}
    assert not progress.is_processed(0, 0)
