"""Answers to slow questions, each of which is asked by one thread at a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Generic, TypeVar

from triggers.errors import TriggersError

T = TypeVar("T")


class ValueOrProblem(Generic[T]):
    """A value, or the reason why there is none."""

    def __init__(self, value: T | None, problem: str = "") -> None:
        self.value = value
        self.problem = problem
        """Why there is no value, for people; empty if there is one."""


class RememberedValue(Generic[T]):
    """Remembers a value for a while, so that a page that many people reload asks Kafka and the workers only once."""

    def __init__(self, ask: Callable[[], T], threads: Executor, keep_s: float) -> None:
        self._ask = ask
        self._threads = threads
        self._keep_s = keep_s
        self._asked: asyncio.Future[T] | None = None
        self._answered_at = 0.0

    async def read(self, patience_s: float) -> ValueOrProblem[T]:
        """Return the answer, or the problem if there is none after `patience_s`. The question stays asked then."""
        asked = self._current_question()
        done, _ = await asyncio.wait([asked], timeout=patience_s)
        if not done:
            return ValueOrProblem(None, f"there is no answer after {patience_s:.0f} s; try again")
        try:
            return ValueOrProblem(asked.result())
        except TriggersError as error:
            return ValueOrProblem(None, str(error))

    def _current_question(self) -> asyncio.Future[T]:
        asked = self._asked
        if asked is None or (asked.done() and time.monotonic() - self._answered_at > self._keep_s):
            asked = self._asked = asyncio.get_running_loop().run_in_executor(self._threads, self._ask)
            asked.add_done_callback(self._record_time)
        return asked

    def _record_time(self, _: asyncio.Future[T]) -> None:
        self._answered_at = time.monotonic()
