"""Limits the rate of each principal with a token bucket."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

_MAX_BUCKETS: Final = 10_000
"""Number of principals that are remembered. With OpenID Connect anyone of a large organisation may be one."""
_BURST_S: Final = 1.0
"""The bucket holds what this many seconds give."""


class RateLimits:
    """One bucket for each principal. Not thread-safe: all calls are made in the event loop."""

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        """`rate` is the default number per second; 0 means that there is no limit."""
        self._rate = rate
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """The tokens in a principal's bucket and the time at which they were counted."""

    def take(self, name: str, rate: float, cost: int) -> float:
        """Takes `cost` from the principal's bucket. Returns 0, or after how many seconds it may try again.

        A `rate` of 0 stands for the default. A cost that is larger than the bucket needs a full one and leaves a debt,
        because it could never be paid otherwise.
        """
        rate = rate or self._rate
        if not rate:
            return 0.0
        now, size = self._clock(), max(rate * _BURST_S, 1.0)
        tokens, counted_at = self._buckets.get(name, (size, now))
        tokens = min(size, tokens + (now - counted_at) * rate)
        needed = min(float(cost), size)
        allowed = tokens >= needed
        self._buckets[name] = (tokens - cost if allowed else tokens, now)
        self._buckets.move_to_end(name)
        if len(self._buckets) > _MAX_BUCKETS:
            self._buckets.popitem(last=False)
        return 0.0 if allowed else (needed - tokens) / rate
