"""The metrics of the dispatcher."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import cast

from triggers.celery.command_source import Delivery
from triggers.kafka.records import Record, timestamp_ms
from triggers.telemetry import service_families as families
from triggers.telemetry.catalogue import MeasuredProcess
from triggers.telemetry.exposition import new_registry
from triggers.telemetry.families import MeasuredFamilies


class DispatchMetrics:
    """Counts and times dispatched commands."""

    def __init__(self, backlog: Callable[[], Iterable[tuple[str, int]]]) -> None:
        """`backlog` returns the number of commands that are not dispatched, by queue."""
        self.registry = registry = new_registry(MeasuredProcess.DISPATCHER)
        self._dispatched = families.DISPATCHED.create(registry)
        self._seconds = families.DISPATCH_SECONDS.create(registry)
        self.faults = families.DISPATCH_FAULTS.create(registry)
        MeasuredFamilies(
            (families.BACKLOG,),
            lambda: ((families.BACKLOG, ((queue,), number)) for queue, number in backlog()),
            registry,
        )

    def record_dispatch(self, delivery: Delivery) -> None:
        """Records that the Celery broker has a command."""
        self._dispatched.inc()
        waited_ms = time.time_ns() / 1_000_000 - timestamp_ms(cast("Record", delivery.message))
        self._seconds.observe(max(0.0, waited_ms / 1000))  # the clocks of two machines may differ
