"""Durations counted in buckets: percentiles of any number of them in a few kilobytes, to within one percent."""

from __future__ import annotations

import math
from collections import Counter

_GROWTH = math.log(1.01)


class Durations:
    """Milliseconds, not negative."""

    def __init__(self) -> None:
        self.count = 0
        self.longest = 0
        self._buckets: Counter[int] = Counter()

    def add(self, milliseconds: int) -> None:
        """Count one; what lies before its cause (clocks differ) counts as 0."""
        milliseconds = max(milliseconds, 0)
        self.count += 1
        self.longest = max(self.longest, milliseconds)
        self._buckets[round(math.log1p(milliseconds) / _GROWTH)] += 1

    def percentile(self, percent: float) -> int | None:
        """The duration that so many percent of them do not exceed; None: there is none."""
        rank = math.ceil(self.count * percent / 100)
        for bucket in sorted(self._buckets):
            rank -= self._buckets[bucket]
            if rank <= 0:
                return min(round(math.expm1(bucket * _GROWTH)), self.longest)
        return None
