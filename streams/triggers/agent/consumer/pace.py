"""How long a worker waits before it begins a transaction, so that a broker has fewer of them under a small load.

A transaction costs a broker much the same whether it has one record or a hundred (docs/decisions/0034-pace.md). An
event after a quiet time does not wait, and under load a transaction takes longer than its interval.
"""

from __future__ import annotations

from math import inf
from typing import Final

_NEVER: Final = -inf


class Pace:
    """The waits of one worker. Moments are those of `time.monotonic()`."""

    def __init__(self, *, idle_s: float, interval_s: float, linger_s: float) -> None:
        """`idle_s` is the maximum time for which a poll waits for the first record if nothing is to be committed.

        `interval_s` is the minimum time between the beginnings of two transactions.
        `linger_s` is the maximum time for which a decided batch that nobody waits for is kept to be committed with the
        next one.
        """
        self.idle_s = idle_s
        self._interval_s = interval_s
        self._linger_s = linger_s
        self._earliest = _NEVER
        self._kept_until = _NEVER

    @property
    def earliest(self) -> float:
        """The moment from which the next transaction may begin."""
        return self._earliest

    def begin_transaction(self, now: float) -> None:
        """Records that a transaction begins. It contains the kept batch, if there is one."""
        self._earliest = now + self._interval_s
        self._kept_until = _NEVER

    def keep(self, now: float) -> None:
        """Records that a batch is kept. A batch that was added to a kept one does not prolong its time."""
        if self._kept_until == _NEVER:
            self._kept_until = now + self._linger_s

    def drop(self) -> None:
        """Records that the kept batch was dropped."""
        self._kept_until = _NEVER

    def remaining_s(self, now: float) -> float:
        """Returns for how long the kept batch may still be kept, or 0."""
        return max(0.0, self._kept_until - now)
