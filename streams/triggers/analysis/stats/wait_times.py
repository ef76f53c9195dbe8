"""How long instances have waited, as a histogram of bounded size."""

from __future__ import annotations

import math
from collections import Counter

_GROWTH = math.log(1.01)


class Durations:
    """A histogram of durations, in milliseconds."""

    def __init__(self) -> None:
        self.count = 0
        self.longest = 0
        self._buckets: Counter[int] = Counter()

    def add(self, milliseconds: int) -> None:
        """Counts a duration. A negative one counts as 0: clocks differ, so an effect may seem to precede its cause."""
        milliseconds = max(milliseconds, 0)
        self.count += 1
        self.longest = max(self.longest, milliseconds)
        self._buckets[round(math.log1p(milliseconds) / _GROWTH)] += 1

    def percentile(self, percent: float) -> int | None:
        """Returns the duration that `percent` of all durations do not exceed, or None if none was counted."""
        rank = math.ceil(self.count * percent / 100)
        for bucket in sorted(self._buckets):
            rank -= self._buckets[bucket]
            if rank <= 0:
                return min(round(math.expm1(bucket * _GROWTH)), self.longest)
        return None
