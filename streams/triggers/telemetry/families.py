"""Metric families: their name, kind, labels, unit and meaning. The catalogue consists of these."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

Value = tuple[Sequence[str], float]
"""The values of the labels, and the value of the series."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A metric family. `name` is the one that Prometheus shows, with the suffix of the unit and `_total`."""

    name: str
    help: str
    labels: tuple[str, ...] = ()
    unit: str = ""
    """`seconds`, `bytes`, or empty for a number of things."""
    kind: ClassVar[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterFamily(Family):
    """A number that only grows."""

    values: tuple[str, ...] = ()
    """Values of the only label whose series exist from the start. `increase` does not see the first step of others."""
    kind = "counter"

    def create(self, registry: CollectorRegistry) -> Counter:
        """Returns a counter of this family in the registry."""
        counter = Counter(self.name, self.help, self.labels, registry=registry)
        for value in self.values:
            counter.labels(value)
        return counter


class GaugeFamily(Family):
    """A number that goes up and down."""

    kind = "gauge"

    def create(self, registry: CollectorRegistry) -> Gauge:
        """Returns a gauge of this family in the registry."""
        return Gauge(self.name, self.help, self.labels, registry=registry)


@dataclass(frozen=True, slots=True, kw_only=True)
class HistogramFamily(Family):
    """A distribution. `buckets` are the upper limits."""

    buckets: tuple[float, ...]
    kind = "histogram"

    def create(self, registry: CollectorRegistry) -> Histogram:
        """Returns a histogram of this family in the registry."""
        return Histogram(self.name, self.help, self.labels, buckets=self.buckets, registry=registry)


class MeasuredFamilies(Collector):
    """Families whose values are read when Prometheus asks, so that keeping them up to date costs nothing."""

    def __init__(
        self,
        families: Sequence[Family],
        measure: Callable[[], Iterable[tuple[Family, Value]]],
        registry: CollectorRegistry,
    ) -> None:
        """`measure` yields the values of counters and gauges in any order. It is called in the thread of a scrape."""
        self._families = families
        self._measure = measure
        registry.register(self)

    def describe(self) -> Iterator[Metric]:
        """Yields the families without values, so that the registry does not measure to learn their names."""
        yield from map(_empty, self._families)

    def collect(self) -> Iterator[Metric]:
        """Yields the families with their current values."""
        metrics = {family.name: _empty(family) for family in self._families}
        for family, (labels, value) in self._measure():
            metrics[family.name].add_metric(labels, value)
        yield from metrics.values()


def _empty(family: Family) -> CounterMetricFamily | GaugeMetricFamily:
    kind = CounterMetricFamily if isinstance(family, CounterFamily) else GaugeMetricFamily
    return kind(family.name, family.help, labels=family.labels)
