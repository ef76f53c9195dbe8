"""The next offset of each partition. Clients that read their own writes wait here until a record is processed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping


class Progress:
    """The committed offsets that the web views use. Not thread-safe: only the event loop may use it."""

    def __init__(self) -> None:
        self._next: dict[int, int] = {}
        self._waiters: set[asyncio.Event] = set()
        self._cycle_at = time.monotonic()

    def record_cycle(self) -> None:
        """Records that the pump has begun a cycle."""
        self._cycle_at = time.monotonic()

    @property
    def idle_s(self) -> float:
        """Returns the seconds since the pump began its last cycle."""
        return time.monotonic() - self._cycle_at

    def replace_partitions(self, offsets: Mapping[int, int]) -> None:
        """Replaces all partitions by these, each with the offset of its next record."""
        self._next = {}
        self.advance(offsets)

    @property
    def partitions(self) -> frozenset[int]:
        """Returns the partitions whose sessions can be read."""
        return frozenset(self._next)

    def advance(self, offsets: Mapping[int, int]) -> None:
        """Sets the next offset of these partitions, and wakes everyone who waits for an offset."""
        self._next.update(offsets)
        for waiter in self._waiters:
            waiter.set()

    def is_processed(self, partition: int, offset: int) -> bool:
        """Returns whether the record at this offset is processed, so that its rows can be read."""
        return self._next.get(partition, 0) > offset

    async def wait_for(self, partition: int, offset: int, timeout_s: float) -> bool:
        """Waits until the record at this offset is processed. Returns False if that takes longer than the timeout."""
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
