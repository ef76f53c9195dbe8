"""`RecordRate`: says whether so few records are sent that they should not wait for each other."""

from __future__ import annotations

from typing import Final

_LOW: Final = 500
"""Records per second up to which a longer wait would save hardly any requests, because each partition needs its own."""
_WINDOW_S: Final = 0.05
"""Shortest time over which the rate is measured."""


class RecordRate:
    """The rate at which records are sent. Any thread may increase `count`; an increase that is lost does not matter."""

    def __init__(self, now: float) -> None:
        """`now` is a time of `time.monotonic()`, as in `is_low`."""
        self.count = 0
        self._is_low, self._begin, self._count_before = True, now, 0

    def is_low(self, now: float) -> bool:
        """Returns whether the rate was low in the last window that has ended. Call it from one thread."""
        if (elapsed := now - self._begin) >= _WINDOW_S:
            self._is_low = self.count - self._count_before <= _LOW * elapsed
            self._begin, self._count_before = now, self.count
        return self._is_low
