"""Partitions that stand still although the broker has records for them. This module is pure: callers pass the time.

A consumer that waits at a wrong offset, such as the end, delivers nothing and reports nothing, while its partition is
assigned and the lag grows. It differs from a slow consumer in this: everything that librdkafka had fetched was
delivered, and the record that must come next was not part of it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

QUIET_S: Final = 3.0
"""Seconds without a record after which the broker is asked whether there is one."""
FETCHED_AHEAD: Final = 100_000
"""More records than librdkafka keeps fetched. Once as many were delivered, the expected record was not fetched."""


@dataclass(slots=True)
class _Watched:
    offset: int
    """The offset that must come next."""
    since: float
    """When the partition reached that offset."""
    asked: float
    """When the broker was last asked for the end of the partition."""
    overdue_since: float | None = None
    """Time since which a record is known to be available, or None."""
    delivered_before: int = 0
    """Number of records of any partition that had been delivered by then."""
    drained_before: int = 0
    """Number of times that librdkafka had had no more records to deliver by then."""


class Standstills:
    """Watches the partitions that a worker reads."""

    def __init__(self) -> None:
        self._watched: dict[int, _Watched] = {}
        self._delivered = 0
        self._drained = 0

    def observe(self, offsets: Mapping[int, int], now: float) -> None:
        """Takes the offset that must come next in each partition that is read. Forgets all other partitions."""
        self._watched = {partition: self._at(partition, offset, now) for partition, offset in offsets.items()}

    def count_delivered(self, records: int, *, drained: bool) -> None:
        """Counts delivered records. `drained` is True if librdkafka had no more of them at that time."""
        self._delivered += records
        self._drained += drained

    def to_ask(self, now: float, lagging: Collection[int] = ()) -> int | None:
        """Returns the quiet partition whose end should be asked for now, or None if no partition is quiet.

        Partitions that are known to lag come first, then those that were asked for the longest time ago.
        """
        quiet = [
            (watched.overdue_since is None and partition not in lagging, watched.asked, partition)
            for partition, watched in self._watched.items()
            if now - watched.since >= QUIET_S
        ]
        return min(quiet)[2] if quiet else None

    def stands_still(self, partition: int, end: int, now: float, patience_s: float) -> bool:
        """Returns whether the partition stands still before `end`, the end of its committed records on the broker.

        It does if a record was already available `patience_s` ago, and everything that was fetched since then has been
        delivered.
        """
        watched = self._watched[partition]
        watched.asked = now
        if end <= watched.offset:
            watched.overdue_since = None
        elif watched.overdue_since is None:
            watched.overdue_since = now
            watched.delivered_before, watched.drained_before = self._delivered, self._drained
        elif now - watched.overdue_since >= patience_s:
            was_drained = self._drained > watched.drained_before
            return was_drained or self._delivered - watched.delivered_before >= FETCHED_AHEAD
        return False

    def clear(self, partition: int) -> None:
        """Resets the partition, because there turned out to be no record to read."""
        self._watched[partition].overdue_since = None

    def _at(self, partition: int, offset: int, now: float) -> _Watched:
        watched = self._watched.get(partition)
        return watched if watched is not None and watched.offset == offset else _Watched(offset, now, now)
