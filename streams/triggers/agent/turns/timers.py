"""Timers that are due become events: the owner of a partition publishes `TimerFired` for each of them.

Publishing a timer twice is harmless, because the second event changes nothing. Published timers are remembered only to
keep the log short.

The worker's clock proposes and the broker's clock decides: a timer acts only if the broker appended its event at its
due time or later. If this worker's clock is ahead of the broker's, an event comes too early and changes
nothing, and the timer is published again when it is due for the broker. If this worker's clock is behind, the
timestamps of the records that it reads say so.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from math import inf

from triggers.codec import encode_event
from triggers.core.commands import SetTimer
from triggers.core.events import TimerFired
from triggers.core.state.rows import Rows, due_timers, first_due
from triggers.kafka.records import Record, append_time_ms
from triggers.store.batch import Batch, Output
from triggers.telemetry.metrics import Metrics

_INTERVAL_S = 0.2
_MAX_PER_TURN = 1000
"""Maximum number of timers published in one batch for one partition. The others follow in later batches."""
_BATCHES_IN_FLIGHT = 2
"""One batch is decided while the one before it is committed."""
_MAX_IN_FLIGHT = 10 * _MAX_PER_TURN
"""Maximum number of timers of a partition that are published and not applied; the others wait in their rows."""


class Timers:
    """Publishes the due timers of ready partitions. Clocks decide when an event is published, and nothing else."""

    def __init__(self, topic: str, rows_of: Callable[[int], Rows], metrics: Metrics) -> None:
        self._topic = topic
        self._rows_of = rows_of
        self._metrics = metrics
        self._checked_at = 0.0
        self._published: dict[int, dict[SetTimer, float]] = {}
        """Partition -> published timer -> `time.monotonic()` from which it may be published again."""
        self._first_due: dict[int, int] = {}
        """Partition -> time in milliseconds before which no timer is due, so that its rows need not be read."""
        self._undecided: deque[list[tuple[int, SetTimer]]] = deque(maxlen=_BATCHES_IN_FLIGHT)
        """The timers, with their partitions, of the batches that may not be committed yet."""
        self._broker_clock = _BrokerClock()
        self._waiting = 0
        """Number of timers that were due at the last look."""
        self._oldest = 0
        """Due time of the oldest of them, in milliseconds."""

    def publish_due(self, batch: Batch) -> list[Output]:
        """Returns the events of timers that are due. Looks for them at most every 200 ms."""
        self._broker_clock.read(batch.records.values())
        self._undecided.append([])
        if time.monotonic() - self._checked_at < _INTERVAL_S:
            return []
        self._checked_at = time.monotonic()
        now = max(time.time_ns() // 1_000_000, self._broker_clock.earliest_now())
        self._waiting, self._oldest = 0, now
        due = [partition for partition in sorted(batch.ready) if self._first_due.get(partition, 0) <= now]
        outputs = [output for partition in due for output in self._publish_due_of(partition, now)]
        self._metrics.due_timers.set(self._waiting)
        self._metrics.timer_delay.set((now - self._oldest) / 1000)
        return outputs

    def expect(self, earliest: Mapping[int, int]) -> None:
        """Records the due time of the earliest timer that a batch sets in each partition."""
        for partition, due in earliest.items():
            if due < self._first_due.get(partition, 0):
                self._first_due[partition] = due

    def postpone(self, partition: int, timer: SetTimer, wait_ms: int) -> None:
        """Publishes a timer again after a while, because the broker appended its event that much too early."""
        self._published.setdefault(partition, {})[timer] = time.monotonic() + wait_ms / 1000

    def forget(self, partitions: frozenset[int] | None = None) -> None:
        """Forgets which timers were published, as partitions were revoked, or a transaction was aborted (None).

        Timers of earlier transactions are on the topic. If they were published again after every abort, the log would
        grow by all of them while a backlog keeps them from being applied.
        """
        if partitions is None:
            self._first_due.clear()
            for partition, timer in (each for batch in self._undecided for each in batch):
                self._published.get(partition, {}).pop(timer, None)
            self._undecided.clear()
        for partition in partitions or ():
            self._published.pop(partition, None)
            self._first_due.pop(partition, None)

    def _publish_due_of(self, partition: int, now: int) -> list[Output]:
        before, passed = self._published.get(partition, {}), time.monotonic()
        rows = self._rows_of(partition)
        due = list(islice(due_timers(rows, now), _MAX_IN_FLIGHT))
        self._first_due[partition] = due[0].due if due else first_due(rows)
        fresh = [timer for timer in due if before.get(timer, 0.0) <= passed][:_MAX_PER_TURN]
        self._published[partition] = {timer: before[timer] for timer in due if timer in before}
        self._published[partition].update(dict.fromkeys(fresh, inf))
        self._undecided[-1] += [(partition, timer) for timer in fresh]
        self._metrics.timers.inc(len(fresh))
        if due:  # the oldest comes first
            self._waiting, self._oldest = self._waiting + len(due), min(self._oldest, due[0].due)
        return [self._timer_event(partition, timer) for timer in fresh]

    def _timer_event(self, partition: int, timer: SetTimer) -> Output:
        event = TimerFired(instance=timer.instance, attempt=timer.attempt, due=timer.due, kind=timer.kind)
        return Output(self._topic, timer.session.encode(), encode_event(event, source="worker"), partition)


class _BrokerClock:
    """The broker's clock, as the records tell it: it has advanced since the newest of them was appended."""

    def __init__(self) -> None:
        self._newest = 0
        self._read_at = 0.0

    def read(self, fetched: Iterable[Sequence[Record]]) -> None:
        """Looks at the last record of each partition, whose time is the latest."""
        newest = max((append_time_ms(records[-1]) for records in fetched if records), default=0)
        if newest > self.earliest_now():
            self._newest, self._read_at = newest, time.monotonic()

    def earliest_now(self) -> int:
        """Returns the earliest time that the broker's clock can show now, in milliseconds, or 0 if it is unknown."""
        return self._newest and self._newest + int((time.monotonic() - self._read_at) * 1000)
