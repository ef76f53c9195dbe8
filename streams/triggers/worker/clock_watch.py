"""Ends a worker whose machine's clock is set back.

librdkafka waits until times of the wall clock (`rd_timeout_init_timespec`; its issue 2145). If the clock is set back
during a wait, the wait becomes longer by that time, and calls do not return within their timeouts. A client that waits
sends no heartbeats, so the group gives its partitions to other workers, and it does not learn of that.
"""

from __future__ import annotations

import asyncio
import time
from typing import Final, NoReturn

from triggers.process.exits import ExitCode, Stop

_INTERVAL_S: Final = 1.0
_TOLERATED_S: Final = 10.0
"""Step back that a worker waits out. Smaller corrections are common when a machine starts or is moved."""


class ClockWatch:
    """Compares the wall clock with the monotonic one, which is never set."""

    def __init__(self, wall: float, monotonic: float) -> None:
        self._difference = wall - monotonic

    def check(self, wall: float, monotonic: float) -> None:
        """Raises Stop if the wall clock was set back since the last call. A clock that is set forward is accepted."""
        set_back_s = self._difference - (wall - monotonic)
        if set_back_s > _TOLERATED_S:
            raise Stop(ExitCode.CLOCK, f"the clock was set back by {set_back_s:.0f} s")
        self._difference = wall - monotonic


async def watch_clock() -> NoReturn:
    """Checks the clock every second until it is cancelled. Raises Stop if it was set back by more than 10 s."""
    watch = ClockWatch(_wall_clock(), time.monotonic())
    while True:
        await asyncio.sleep(_INTERVAL_S)
        watch.check(_wall_clock(), time.monotonic())


def _wall_clock() -> float:
    return time.time()  # noqa: TID251  # it is compared with a duration, and decides nothing about events
