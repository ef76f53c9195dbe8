"""All metrics of a worker, served at `/metrics`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_MAX_FAILURES = 500
"""Maximum number of time series of failures. Services in other languages choose the names of exceptions freely."""
_OTHER = "other"


class FailureCounter:
    """Counts the instances that have failed, by task and class of the exception. Messages are in `triggers stats`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._counter = Counter(
            "triggers_failures",
            "Instances that have failed, by task and class of the exception; `other` beyond 500 pairs",
            ["task", "exception"],
            registry=registry,
        )
        self._known: set[tuple[str, str]] = set()

    def count(self, failures: Mapping[tuple[str, str], int]) -> None:
        """Adds failures by task and class."""
        for pair, number in failures.items():
            if pair not in self._known and len(self._known) >= _MAX_FAILURES:
                self._counter.labels(_OTHER, _OTHER).inc(number)
                continue
            self._known.add(pair)
            self._counter.labels(*pair).inc(number)


class Metrics:
    """The worker's metrics, in a separate registry."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._add_decisions()
        self._add_transactions()
        self._add_reading()
        self._add_partitions()

    def _add_decisions(self) -> None:
        counter = partial(Counter, registry=self.registry)
        self.events = counter(
            "triggers_events",
            "Events processed, by outcome: applied, unused, stopped, duplicate, stale or deleted",
            ["outcome"],
        )
        self.dead_letters = counter("triggers_dead_letters", "Records that became dead letters, by reason", ["reason"])
        self.forwarded = counter(
            "triggers_forwarded_events", "Events found on the wrong partition and forwarded to the right one"
        )
        self.commands = counter("triggers_commands", "Commands issued, and cancellations of commands")
        self.failures = FailureCounter(self.registry)
        self.timers = counter("triggers_timers_fired", "Due timers published as events")
        self.expression_failures = counter(
            "triggers_expression_failures",
            "Evaluations of expressions without a usable result, which count as false; `triggers explain` says why",
        )

    def _add_transactions(self) -> None:
        counter = partial(Counter, registry=self.registry)
        histogram = partial(Histogram, registry=self.registry)
        self.rows = counter("triggers_changelog_rows", "Rows written to the changelog")
        self.batch_size = histogram(
            "triggers_batch_events", "Records per transaction", buckets=(1, 3, 10, 30, 100, 300, 1000, 3000, 10000)
        )
        self.decide_seconds = histogram("triggers_decide_seconds", "Time to decide one batch, in seconds")
        self.transaction_seconds = histogram(
            "triggers_transaction_seconds",
            "Time to commit one Kafka transaction and write its rows to RocksDB, in seconds",
        )
        self.aborted_transactions = counter(
            "triggers_aborted_transactions",
            "Transactions that were aborted and whose events were fetched again, by reason",
            ["reason"],
        )

    def _add_reading(self) -> None:
        counter = partial(Counter, registry=self.registry)
        self.gaps = counter(
            "triggers_event_gaps",
            "Ranges of offsets without an event, by what was found there: harmless (markers, aborted records), skipped"
            " (an event that was then fetched again), removed, unproven or repeated",
            ["outcome"],
        )
        self.standstills = counter(
            "triggers_standstills", "Times that a partition stood still before an event and was assigned again"
        )
        self.lag = Gauge(
            "triggers_lag_events",
            "Offsets between the committed one and the partition's end, transaction markers included, by partition",
            ["partition"],
            registry=self.registry,
        )

    def _add_partitions(self) -> None:
        counter = partial(Counter, registry=self.registry)
        gauge = partial(Gauge, registry=self.registry)
        histogram = partial(Histogram, registry=self.registry)
        self.restored_rows = counter("triggers_restored_rows", "Rows restored from the changelog")
        self.repeated_restores = counter(
            "triggers_repeated_restores", "Restores repeated because two readers found different rows"
        )
        self.restore_seconds = histogram("triggers_restore_seconds", "Time of one restore, in seconds")
        self.recovering_partitions = gauge(
            "triggers_recovering_partitions", "Partitions that the running restore has not finished"
        )
        self.partitions = gauge("triggers_partitions", "Partitions owned by this worker")
        self.cached_sessions = gauge("triggers_cached_sessions", "Decoded sessions in memory")
        self.loaded_sessions = counter("triggers_loaded_sessions", "Sessions decoded because they were not in memory")

    def text(self) -> bytes:
        """Returns all metrics in Prometheus' text format."""
        return generate_latest(self.registry)
