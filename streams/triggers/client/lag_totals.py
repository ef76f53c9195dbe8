"""Adds up the lag of partitions, and computes how fast it changes between two measurements."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from triggers.client.consumer_lag import PartitionLag


@dataclass(frozen=True, slots=True, kw_only=True)
class LagTotal:
    """The lag of a consumer group on all partitions of a topic."""

    group: str
    topic: str
    partitions: int
    lag: int
    """Distance in offsets, transaction markers included."""
    records: int | None
    """Number of unfinished records, or None if those of a partition are too many to count."""
    largest: int
    """Largest lag of a partition."""
    written_per_s: float | None = None
    """Offsets per second by which the ends have grown since the measurement before; None for the first one."""
    finished_per_s: float | None = None
    """Offsets per second that the group has committed since then."""

    @property
    def seconds_left(self) -> float | None:
        """Seconds until the group has caught up at these rates, or None if it does not catch up."""
        if self.written_per_s is None or self.finished_per_s is None:
            return None
        gain = self.finished_per_s - self.written_per_s
        if not self.lag:
            return 0.0
        return self.lag / gain if gain > 0 else None


def total_lag(
    rows: Iterable[PartitionLag], before: Iterable[PartitionLag] = (), seconds: float = 0.0
) -> list[LagTotal]:
    """Returns the totals by group and topic, in the order of the rows.

    `before` are the rows of a measurement that many seconds earlier. A partition that it lacks has no share in rates.
    """
    known = {(row.topic, row.partition): row for row in before}
    groups: dict[tuple[str, str], list[PartitionLag]] = {}
    for row in rows:
        groups.setdefault((row.group, row.topic), []).append(row)
    return [_total(group, topic, members, known, seconds) for (group, topic), members in groups.items()]


def _total(
    group: str, topic: str, rows: list[PartitionLag], known: dict[tuple[str, int], PartitionLag], seconds: float
) -> LagTotal:
    pairs = [(known[topic, row.partition], row) for row in rows if (topic, row.partition) in known]
    counts = [row.records for row in rows if row.records is not None]
    has_rates = bool(pairs) and seconds > 0
    return LagTotal(
        group=group,
        topic=topic,
        partitions=len(rows),
        lag=sum(row.lag for row in rows),
        records=sum(counts) if len(counts) == len(rows) else None,
        largest=max(row.lag for row in rows),
        written_per_s=sum(now.end - then.end for then, now in pairs) / seconds if has_rates else None,
        finished_per_s=sum(now.committed - then.committed for then, now in pairs) / seconds if has_rates else None,
    )
