"""The console asks the installation a slow question once at a time, and keeps the answer."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

from triggers.overview.remembered import RememberedValue


async def test_a_slow_question_is_asked_once_at_a_time_and_its_answer_is_kept() -> None:
    asked, may_answer = [0], threading.Event()

    def ask() -> int:
        asked[0] += 1
        may_answer.wait(30)
        return asked[0]

    with ThreadPoolExecutor(1) as threads:
        remembered = RememberedValue(ask, threads, keep_s=60)
        first, second = await asyncio.gather(remembered.read(0.01), remembered.read(0.01))
        may_answer.set()
        third, fourth = await remembered.read(30), await remembered.read(30)

    assert (first.value, second.value) == (None, None)
    assert "there is no answer after" in first.problem
    assert (third.value, fourth.value, asked[0]) == (1, 1, 1)
