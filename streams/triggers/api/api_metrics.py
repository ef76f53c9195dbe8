"""The metrics of the HTTP API: its requests, and the lag of the consumer groups.

The lag is measured here, because a consumer group whose workers are all dead has no member that could measure it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Final

import structlog

from triggers.client.consumer_lag import PartitionLag, measure_lag
from triggers.errors import TryAgain
from triggers.settings import Settings
from triggers.telemetry import service_families as families
from triggers.telemetry.catalogue import MeasuredProcess
from triggers.telemetry.exposition import new_registry
from triggers.telemetry.families import Family, MeasuredFamilies, Value
from triggers.telemetry.http_metrics import HttpMetrics

_EVERY_S: Final = 15.0
_COUNT_NONE: Final = -1

_log: Final = structlog.get_logger(__name__)


class ApiMetrics:
    """The metrics of an API process."""

    def __init__(self, settings: Settings, in_flight: Callable[[], int]) -> None:
        """`in_flight` returns the number of events that Kafka has not acknowledged."""
        self.registry = new_registry(MeasuredProcess.API)
        self.requests = HttpMetrics(self.registry)
        self._settings = settings
        self._in_flight = in_flight
        self._lag: list[PartitionLag] = []
        self._errors = families.GROUP_LAG_ERRORS.create(self.registry)
        self._stopping = threading.Event()
        MeasuredFamilies((families.HTTP_IN_FLIGHT, families.GROUP_LAG), self._measure, self.registry)

    def start_measuring_lag(self) -> None:
        """Starts the thread that measures the lag until `stop_measuring_lag`."""
        threading.Thread(target=self._measure_lag_repeatedly, name="lag", daemon=True).start()

    def stop_measuring_lag(self) -> None:
        """Makes the thread end. Does not block."""
        self._stopping.set()

    def _measure_lag_repeatedly(self) -> None:
        while not self._stopping.is_set():
            self._measure_lag()
            self._stopping.wait(_EVERY_S)

    def _measure_lag(self) -> None:
        try:
            self._lag = measure_lag(self._settings, _COUNT_NONE)
        except TryAgain as error:
            self._lag = []  # an old figure would hide that the current one is unknown
            self._errors.inc()
            _log.warning("the lag cannot be measured", reason=str(error))

    def _measure(self) -> Iterator[tuple[Family, Value]]:
        yield families.HTTP_IN_FLIGHT, ((), self._in_flight())
        for row in self._lag:
            yield families.GROUP_LAG, ((row.group, row.topic, str(row.partition)), row.lag)
