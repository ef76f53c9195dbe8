"""`RestoreRun`: the progress of one restore, and where its two readers agree."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Final, NamedTuple

import structlog
from confluent_kafka import Message

from triggers.kafka.twin_readings import TwinReading
from triggers.store.restored_rows import offsets_of, split_messages
from triggers.store.second_reader import SecondReader
from triggers.telemetry.metrics import Metrics

log = structlog.get_logger(__name__)

_PROGRESS_S: Final = 5.0
_STUCK_AFTER_S: Final = 0.1
"""Seconds without a message after which an open transaction is suspected. Markers of a decided one arrive earlier."""
_STUCK_AGAIN_AFTER_S: Final = 1.5


class PartitionRestore(NamedTuple):
    """How far the restore of a partition has come. All are offsets of the changelog."""

    start: int
    """The first offset to read."""
    restored: int
    """The offset before which everything is restored."""
    end: int


class RestoreRun:
    """The progress of one restore."""

    def __init__(self, topic: str, metrics: Metrics) -> None:
        self.ends: dict[int, int] = {}
        self._starts: dict[int, int] = {}
        self._twins: dict[int, TwinReading] = {}
        self._topic = topic
        self._metrics = metrics
        self._rows = 0
        self._started = self._logged_at = self._progressed_at = time.monotonic()
        self._patience_s = _STUCK_AFTER_S

    def begin(self, ends: dict[int, int], starts: Mapping[int, int]) -> None:
        """Starts reading at the offsets `starts`, or repeats it. `ends` has the end of each partition to be read."""
        self.ends = dict(ends)
        self._starts |= {partition: starts[partition] for partition in ends if partition not in self._starts}
        self._twins = {partition: TwinReading(partition, end) for partition, end in ends.items()}

    def offsets_of_unrestored(self, offsets: dict[int, int]) -> dict[int, int]:
        """Returns the offsets of the partitions that are not restored yet."""
        return {partition: offsets[partition] for partition in self.ends}

    @property
    def verified(self) -> dict[int, int]:
        """Returns the last offset of each partition that both readers have found."""
        return {p: twin.verified for p, twin in self._twins.items() if twin.verified is not None}

    def progress(self) -> dict[int, PartitionRestore]:
        """Returns how far each partition that is not restored yet has come. Any thread may call it."""
        twins, starts = self._twins, dict(self._starts)
        left = {}
        for partition, end in self.ends.items():
            verified = twins[partition].verified if partition in twins else None
            start = starts.get(partition, 0)
            left[partition] = PartitionRestore(start, start if verified is None else verified + 1, end)
        return left

    def compare(self, second: SecondReader) -> dict[int, int]:
        """Compares the second reader's new chunks. Returns the verified offsets. Raises ReadingsDiffer."""
        while second.chunks:
            chunk = second.chunks.popleft()
            for partition, offsets in chunk.offsets.items():
                self._twins[partition].add_second(offsets)
            for partition, position in chunk.ends.items():
                self._twins[partition].end_second(position)
        self.ends = {partition: end for partition, end in self.ends.items() if not self._twins[partition].is_complete}
        return self.verified

    def sort_messages(self, messages: list[Message]) -> dict[int, list[Message]]:
        """Returns the messages of rows by partition. Raises ReadingsDiffer."""
        rows, ends = split_messages(messages)
        for partition, fetched in rows.items():
            self._twins[partition].add_first(offsets_of(fetched))
        for partition, position in ends.items():
            self._twins[partition].end_first(position)
        self._rows += sum(map(len, rows.values()))
        if messages:
            self._progressed_at = time.monotonic()
        return rows

    def is_stuck(self) -> bool:
        """Returns whether no message has arrived for a while. Returns True only once in that time."""
        if time.monotonic() - self._progressed_at < self._patience_s:
            return False
        self._progressed_at, self._patience_s = time.monotonic(), _STUCK_AGAIN_AFTER_S
        return True

    def log_progress(self) -> None:
        """Logs the progress every few seconds."""
        self._metrics.recovering_partitions.set(len(self.ends))
        if time.monotonic() - self._logged_at > _PROGRESS_S:
            self._logged_at = time.monotonic()
            log.info("restoring partitions", partitions_left=len(self.ends), rows=self._rows, rows_per_s=self._rate())

    def log_result(self, done: frozenset[int]) -> None:
        """Logs the result and observes the metrics."""
        self._metrics.recovering_partitions.set(0)
        seconds = time.monotonic() - self._started
        self._metrics.restore_seconds.observe(seconds)
        log.info(
            "partitions restored",
            partitions=sorted(done),
            rows=self._rows,
            seconds=round(seconds, 3),
            rows_per_s=self._rate(),
        )

    def _rate(self) -> int:
        return int(self._rows / max(time.monotonic() - self._started, 0.001))
