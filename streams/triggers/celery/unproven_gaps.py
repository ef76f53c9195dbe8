"""Partitions with a gap that could not be proved yet, and for how long. This module is pure: callers pass the time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_PATIENCE_S: Final = 300.0
"""A partition whose gap stays unproven for longer ends the reader, if the broker has delivered records of it since."""
_PAUSE_S: Final = 5.0
"""Pause before a partition with an unproven gap is examined again."""


@dataclass(slots=True)
class _Unproven:
    first_at: float
    """When a gap of the partition was unproven for the first time in a row."""
    last_at: float
    """When a gap of the partition was unproven for the last time."""
    has_delivered: bool = False
    """True if the broker has delivered a record of the partition, or its end, since then."""


class UnprovenGaps:
    """Decides when partitions with unproven gaps are examined again, and when that would be pointless.

    While the broker does not answer, nothing can be proved, and waiting is right. A broker that delivers records of a
    partition answers, so a gap of it that stays unproven will never be proved by this process.
    """

    def __init__(self) -> None:
        self._unproven: dict[int, _Unproven] = {}

    def record_unproven(self, partition: int, now: float) -> None:
        """Records that a gap of the partition could not be proved."""
        self._unproven.setdefault(partition, _Unproven(now, now)).last_at = now

    def record_delivery(self, partition: int) -> None:
        """Records that the broker has delivered a record of the partition, or its end."""
        if unproven := self._unproven.get(partition):
            unproven.has_delivered = True

    def forget(self, partition: int) -> None:
        """Forgets a partition: its gaps are proved, or it was revoked."""
        self._unproven.pop(partition, None)

    def may_examine(self, partition: int, now: float) -> bool:
        """Returns whether the partition's gaps may be examined now."""
        unproven = self._unproven.get(partition)
        return unproven is None or now - unproven.last_at >= _PAUSE_S

    def is_hopeless(self, partition: int, now: float) -> bool:
        """Returns whether a gap of the partition has been unproven for too long although the broker answers."""
        unproven = self._unproven.get(partition)
        return unproven is not None and unproven.has_delivered and now - unproven.first_at > _PATIENCE_S
