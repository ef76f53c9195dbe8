"""`StuckSessions`: counts the stuck sessions of a worker's partitions, little by little, for the metrics.

Whether a session is stuck depends on the time, so no index can have it. A pass over all headers takes two seconds of
CPU time for a million sessions. It is divided into slices, with pauses that are 99 times as long, so that the
count takes one percent of a core and a scrape takes none.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

import structlog
from msgspec import Struct

from triggers.agent.consumer.progress import Progress
from triggers.core.state.plans import Plans
from triggers.core.state.rows import Rows
from triggers.queries.partition_search import PartitionSearch
from triggers.queries.session_query import SessionQuery
from triggers.store.partition_rows import PartitionClosed

SLICE_ROWS: Final = 1_000
"""Number of rows that are examined at once. That takes some two milliseconds."""
_PAUSE: Final = 99.0
"""Length of the pause after a slice, in multiples of its duration."""
_LEAST_PAUSE_S: Final = 0.1
_BETWEEN_PASSES_S: Final = 15.0
_UNTIL_FIRST_S: Final = 1.0
"""Pause while the worker has no partition yet."""
_ALL: Final = 1 << 30

log = structlog.get_logger(__name__)


class StuckCount(Struct, frozen=True):
    """The stuck sessions of a partition."""

    silent: int
    """Number of sessions with something unresolved in which nothing has happened for `stuck_ms`."""
    behind_failure: int
    """Number of sessions in which a task waits for the task of a failed instance."""
    since: float
    """When the count began, on the monotonic clock."""


class StuckSessions:
    """The counts of the last complete pass over each partition. Thread-safe."""

    def __init__(
        self,
        progress: Progress,
        rows_of: Callable[[int], Rows],
        stuck_ms: int,
        now: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._progress = progress
        self._rows_of = rows_of
        self._query = SessionQuery(stuck_ms=stuck_ms)
        self._plans = Plans()
        self._now = now
        self._counts: dict[int, StuckCount] = {}
        self._stop = threading.Event()

    def counts(self) -> dict[int, StuckCount]:
        """Returns the counts of the partitions that the worker has and that have been counted."""
        owned = self._progress.partitions
        return {partition: count for partition, count in self._counts.items() if partition in owned}

    def start(self) -> None:
        """Begins to count, in a thread of its own, until `stop`."""
        threading.Thread(target=self._run, name="stuck-sessions", daemon=True).start()

    def stop(self) -> None:
        """Ends the count after its current slice. Does not wait."""
        self._stop.set()

    def count_all(self) -> None:
        """Counts all partitions once, with pauses."""
        owned = sorted(self._progress.partitions)
        self._counts = {partition: count for partition, count in self._counts.items() if partition in owned}
        for partition in owned:
            try:
                count = self._count(self._rows_of(partition))
            except PartitionClosed:  # it is moving to another worker, which counts it
                continue
            if count is not None:
                self._counts = {**self._counts, partition: count}

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.count_all()
            except Exception:  # a metric must not end the worker; the next pass may succeed
                log.exception("the stuck sessions could not be counted")
            self._stop.wait(_BETWEEN_PASSES_S if self._counts else _UNTIL_FIRST_S)

    def _count(self, rows: Rows) -> StuckCount | None:
        """Returns the count of a partition, or None if `stop` was called."""
        silent = behind = 0
        after, since = "", time.monotonic()
        while not self._stop.is_set():
            began = time.monotonic()
            page = PartitionSearch(rows, self._plans, self._query, self._now()).find(after, _ALL, SLICE_ROWS)
            waiting = sum(bool(session.waits_behind) for session in page.sessions)
            silent, behind = silent + len(page.sessions) - waiting, behind + waiting
            if page.reached is None:
                return StuckCount(silent, behind, since)
            after = page.reached
            self._stop.wait(max(_LEAST_PAUSE_S, _PAUSE * (time.monotonic() - began)))
        return None
