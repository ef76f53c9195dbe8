"""How far each partition is committed, and waiting for it: what reads after own writes need."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping


class Progress:
    """Committed offsets as the web views see them. Used on the event loop only."""

    def __init__(self) -> None:
        self._next: dict[int, int] = {}
        self._waiters: set[asyncio.Event] = set()
        self._turned_at = time.monotonic()

    def record_turn(self) -> None:
        """Say that the pump is alive."""
        self._turned_at = time.monotonic()

    @property
    def idle_s(self) -> float:
        """Seconds since the pump last went round."""
        return time.monotonic() - self._turned_at

    def replace_partitions(self, offsets: Mapping[int, int]) -> None:
        """These partitions are read from here on, and no others."""
        self._next = {}
        self.advance(offsets)

    @property
    def partitions(self) -> frozenset[int]:
        """Partitions whose sessions can be read."""
        return frozenset(self._next)

    def advance(self, offsets: Mapping[int, int]) -> None:
        """Note the next offset of these partitions; wakes who waits for one."""
        self._next.update(offsets)
        for waiter in self._waiters:
            waiter.set()

    def is_processed(self, partition: int, offset: int) -> bool:
        """Whether the record at this offset is processed and its rows can be read."""
        return self._next.get(partition, 0) > offset

    async def wait_for(self, partition: int, offset: int, timeout_s: float) -> bool:
        """Wait until `reached`; False when that takes longer than the timeout."""
        waiter = asyncio.Event()
        self._waiters.add(waiter)
        try:
            async with asyncio.timeout(timeout_s):
                while not self.is_processed(partition, offset):
                    waiter.clear()
                    await waiter.wait()
        except TimeoutError:
            return False
        finally:
            self._waiters.discard(waiter)
        return True
