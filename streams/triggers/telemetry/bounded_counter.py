"""A counter of failures with a limited number of time series."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from prometheus_client import CollectorRegistry

from triggers.telemetry.families import CounterFamily

MAX_FAILURES: Final = 500
"""Maximum number of time series of failures. Services in other languages choose the names of exceptions freely."""
OTHER: Final = "other"


class FailureCounter:
    """Counts failures by task and class of the exception. Messages are in `triggers stats`."""

    def __init__(self, family: CounterFamily, registry: CollectorRegistry) -> None:
        self._counter = family.create(registry)
        self._known: set[tuple[str, str]] = set()

    def count(self, failures: Mapping[tuple[str, str], int]) -> None:
        """Adds failures by task and class. Two threads at once may exceed the limit by one pair, which is harmless."""
        for pair, number in failures.items():
            if pair not in self._known and len(self._known) >= MAX_FAILURES:
                self._counter.labels(OTHER, OTHER).inc(number)
                continue
            self._known.add(pair)
            self._counter.labels(*pair).inc(number)
