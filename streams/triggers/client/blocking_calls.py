"""`BlockingCalls`: runs calls that block in a bounded number of threads, beside the event loop."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, ParamSpec, TypeVar

from triggers.errors import Overloaded

P = ParamSpec("P")
T = TypeVar("T")

_THREADS: Final = 32
_MAX_CALLS: Final = 500
"""Maximum number of calls that run or wait for a thread. More would wait for longer than their clients do."""


class BlockingCalls:
    """Runs reads of sessions, topics and groups. Fires do not pass through it, so slow reads do not delay them."""

    def __init__(self, threads: int = _THREADS, max_calls: int = _MAX_CALLS) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="blocking")
        self._max_calls = max_calls
        self._calls = 0

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs the call in a thread and returns its result. Raises Overloaded if too many calls wait."""
        if self._calls >= self._max_calls:
            raise Overloaded(f"{self._calls} requests wait for workers or Kafka; try again")
        self._calls += 1
        context = contextvars.copy_context()
        try:
            bound = partial(context.run, partial(call, *args, **kwargs))
            return await asyncio.get_running_loop().run_in_executor(self._pool, bound)
        finally:
            self._calls -= 1

    def close(self) -> None:
        """Ends the threads after the calls that they run. Does not wait for them."""
        self._pool.shutdown(wait=False, cancel_futures=True)
