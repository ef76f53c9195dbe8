"""Timers that are due become events: the owner of a partition publishes `TimerFired` for each of them.

Publishing a timer twice is harmless, because the second event changes nothing. Published timers are remembered only to
keep the log short.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import islice

from triggers.agent.batch import Batch
from triggers.agent.records import Output
from triggers.codec import encode_event
from triggers.core.commands import SetTimer
from triggers.core.events import TimerFired
from triggers.core.state.rows import Rows, due_timers
from triggers.telemetry.metrics import Metrics

_INTERVAL_S = 0.2
_MAX_PER_TURN = 1000
"""Maximum number of timers published in one batch for one partition. The others follow in later batches."""
_MAX_IN_FLIGHT = 10 * _MAX_PER_TURN
"""Maximum number of timers of a partition that are published and not applied; the others wait in their rows."""


class Timers:
    """Publishes the due timers of ready partitions. The clock decides when an event is published, and nothing else."""

    def __init__(self, topic: str, rows_of: Callable[[int], Rows], metrics: Metrics) -> None:
        self._topic = topic
        self._rows_of = rows_of
        self._metrics = metrics
        self._checked_at = 0.0
        self._published: dict[int, set[SetTimer]] = {}

    def due(self, batch: Batch) -> list[Output]:
        """Returns the events of timers that are due. Looks for them every 200 ms at most."""
        if time.monotonic() - self._checked_at < _INTERVAL_S:
            return []
        self._checked_at = time.monotonic()
        now = time.time_ns() // 1_000_000
        return [output for partition in sorted(batch.ready) for output in self._publish_due(partition, now)]

    def forget(self, partitions: frozenset[int] | None = None) -> None:
        """Forgets which timers were published, because the transaction was aborted or the partitions were revoked."""
        for partition in list(self._published) if partitions is None else partitions:
            self._published.pop(partition, None)

    def _publish_due(self, partition: int, now: int) -> list[Output]:
        before = self._published.get(partition, set())
        due = list(islice(due_timers(self._rows_of(partition), now), _MAX_IN_FLIGHT))
        fresh = [timer for timer in due if timer not in before][:_MAX_PER_TURN]
        self._published[partition] = before.intersection(due).union(fresh)
        self._metrics.timers.inc(len(fresh))
        return [self._timer_event(partition, timer) for timer in fresh]

    def _timer_event(self, partition: int, timer: SetTimer) -> Output:
        event = TimerFired(instance=timer.instance, attempt=timer.attempt, due=timer.due, kind=timer.kind)
        return Output(self._topic, timer.session.encode(), encode_event(event, source="worker"), partition)
