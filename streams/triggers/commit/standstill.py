"""Partitions that do not move although the broker has records for them. Pure: whoever asks tells the time.

A consumer that waits at a wrong place, at the end for instance, delivers nothing and reports nothing, while its
partition is assigned and the lag grows. It is told from a slow one by what has happened meanwhile: everything that
librdkafka had fetched was delivered, and the record that must come next was not among it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

QUIET_S: Final = 3.0
"""After so long without a record the broker is asked whether there is one."""
FETCHED_AHEAD: Final = 100_000
"""More records than librdkafka keeps fetched: when so many were delivered, the one in question was not among them."""


@dataclass(slots=True)
class _Watched:
    place: int
    """The offset that must come next."""
    since: float
    """Since when that is so."""
    asked: float
    """When the end of the partition was last asked for."""
    overdue_since: float | None = None
    """Since when it is known that there is something to read."""
    delivered_before: int = 0
    """Records of any partition that had been delivered by then."""
    drained_before: int = 0
    """How often librdkafka had had nothing left to deliver by then."""


class Standstills:
    """Watches the partitions that a worker reads."""

    def __init__(self) -> None:
        self._watched: dict[int, _Watched] = {}
        self._delivered = 0
        self._drained = 0

    def observe(self, places: Mapping[int, int], now: float) -> None:
        """The offset that must come next in each partition that is read; all others are forgotten."""
        self._watched = {partition: self._at(partition, place, now) for partition, place in places.items()}

    def note_delivered(self, records: int, *, drained: bool) -> None:
        """So many records were delivered; `drained`: there were no more at that time."""
        self._delivered += records
        self._drained += drained

    def to_ask(self, now: float, lagging: Collection[int] = ()) -> int | None:
        """The quiet partition whose end should be asked for now, if there is one.

        Those that are known to lag come first, then those that were asked for the longest time ago.
        """
        quiet = [
            (watched.overdue_since is None and partition not in lagging, watched.asked, partition)
            for partition, watched in self._watched.items()
            if now - watched.since >= QUIET_S
        ]
        return min(quiet)[2] if quiet else None

    def stands_still(self, partition: int, end: int, now: float, patience_s: float) -> bool:
        """The end of the committed records as the broker has just told it; whether the partition will not get there.

        That is so if something was there to read `patience_s` ago already, and whatever was fetched since then has
        been delivered.
        """
        watched = self._watched[partition]
        watched.asked = now
        if end <= watched.place:
            watched.overdue_since = None
        elif watched.overdue_since is None:
            watched.overdue_since = now
            watched.delivered_before, watched.drained_before = self._delivered, self._drained
        elif now - watched.overdue_since >= patience_s:
            was_drained = self._drained > watched.drained_before
            return was_drained or self._delivered - watched.delivered_before >= FETCHED_AHEAD
        return False

    def clear(self, partition: int) -> None:
        """There turned out to be nothing to read."""
        self._watched[partition].overdue_since = None

    def _at(self, partition: int, place: int, now: float) -> _Watched:
        watched = self._watched.get(partition)
        return watched if watched is not None and watched.place == place else _Watched(place, now, now)
