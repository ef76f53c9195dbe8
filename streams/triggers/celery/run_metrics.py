"""`RunMetrics`: the metrics of a Celery worker, kept in its main process.

Celery's main process learns of the start and the end of each run, whatever the pool is. So the numbers need no shared
files as in the multiprocess mode of prometheus_client, which knows no gauges of the worker as a whole, keeps a file for
each child that ever lived, and must be configured before its first import.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, cast

from celery.exceptions import Ignore, Reject, Retry

from triggers.kafka.records import Record, timestamp_ms
from triggers.results.result_events import class_name
from triggers.telemetry import service_families as families
from triggers.telemetry.bounded_counter import FailureCounter
from triggers.telemetry.catalogue import MeasuredProcess
from triggers.telemetry.exposition import new_registry
from triggers.telemetry.families import Family, MeasuredFamilies, Value

if TYPE_CHECKING:
    from triggers.celery.command_source import CommandInHand


class RunMetrics:
    """Counts and times the runs of commands. Thread-safe, because pools of threads call it."""

    def __init__(self, in_hand: Callable[[], Iterable[tuple[str, int]]], running: Callable[[], int]) -> None:
        """`in_hand` returns the unsettled commands by queue, and `running` the number of those that Celery has."""
        self.registry = registry = new_registry(MeasuredProcess.CELERY_WORKER)
        self._in_hand = in_hand
        self._running = running
        self._started = families.RUNS_STARTED.create(registry)
        self._finished = families.RUNS_FINISHED.create(registry)
        self._failed = FailureCounter(families.RUNS_FAILED, registry)
        self._retried = families.RUNS_RETRIED.create(registry)
        self._ignored = families.RUNS_IGNORED.create(registry)
        self._queue_seconds = families.QUEUE_SECONDS.create(registry)
        self._run_seconds = families.RUN_SECONDS.create(registry)
        self._trigger_to_start = families.TRIGGER_TO_START_SECONDS.create(registry)
        self._trigger_to_end = families.TRIGGER_TO_END_SECONDS.create(registry)
        MeasuredFamilies((families.COMMANDS_IN_HAND, families.COMMANDS_RUNNING), self._measure, registry)

    def record_start(self, in_hand: CommandInHand, started_s: float) -> None:
        """Records the start of a run, in seconds since 1970."""
        task, started_ms = in_hand.command.run, started_s * 1000
        self._started.labels(task).inc()
        queued = timestamp_ms(cast("Record", in_hand.delivery.message))
        self._queue_seconds.labels(task).observe(_seconds_between(queued, started_ms))
        if in_hand.command.time:
            self._trigger_to_start.labels(task).observe(_seconds_between(in_hand.command.time, started_ms))

    def record_end(self, in_hand: CommandInHand, run_s: float | None, error: BaseException | None) -> None:
        """Records that the outcome of a command is on Kafka. `run_s` is None if the run never began."""
        task = in_hand.command.run
        if error is None:
            self._finished.labels(task).inc()
        elif isinstance(error, Retry):
            self._retried.labels(task).inc()
        elif isinstance(error, Ignore | Reject):
            self._ignored.labels(task).inc()
        else:
            self._failed.count({(task, class_name(error)): 1})
        if run_s is not None:
            self._run_seconds.labels(task).observe(run_s)
        if in_hand.command.time:
            now_ms = time.time_ns() / 1_000_000
            self._trigger_to_end.labels(task).observe(_seconds_between(in_hand.command.time, now_ms))

    def _measure(self) -> Iterable[tuple[Family, Value]]:
        yield from ((families.COMMANDS_IN_HAND, ((queue,), number)) for queue, number in self._in_hand())
        yield families.COMMANDS_RUNNING, ((), self._running())


def _seconds_between(start_ms: float, end_ms: float) -> float:
    """Returns the seconds between times of two machines, whose clocks may differ."""
    return max(0.0, end_ms - start_ms) / 1000
