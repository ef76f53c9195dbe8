"""Every metric of a worker, served at `/metrics`; a metric that is not here cannot be emitted."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest


class Metrics:
    """The worker's metrics, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.events = Counter(
            "triggers_events",
            "Events processed, by outcome (applied, unused, duplicate, stale)",
            ["outcome"],
            registry=registry,
        )
        self.dead_letters = Counter(
            "triggers_dead_letters", "Records sent to the dead letters, by reason", ["reason"], registry=registry
        )
        self.forwarded = Counter(
            "triggers_forwarded_events",
            "Events found on a wrong partition and sent to the right one",
            registry=registry,
        )
        self.commands = Counter("triggers_commands", "Commands published", registry=registry)
        self.timers = Counter(
            "triggers_timers_fired", "Timers that were due and published as events", registry=registry
        )
        self.rows = Counter("triggers_changelog_rows", "Rows written to the changelog", registry=registry)
        self.batch_size = Histogram(
            "triggers_batch_events",
            "Records per transaction",
            buckets=(1, 3, 10, 30, 100, 300, 1000, 3000, 10000),
            registry=registry,
        )
        self.decide_seconds = Histogram(
            "triggers_decide_seconds", "Seconds the agent spends on one batch", registry=registry
        )
        self.transaction_seconds = Histogram(
            "triggers_transaction_seconds", "Seconds of one Kafka transaction and its RocksDB write", registry=registry
        )
        self.aborted_transactions = Counter(
            "triggers_aborted_transactions",
            "Transactions aborted and read again, by reason",
            ["reason"],
            registry=registry,
        )
        self.restored_rows = Counter("triggers_restored_rows", "Rows restored from the changelog", registry=registry)
        self.restore_seconds = Histogram("triggers_restore_seconds", "Seconds of one restore", registry=registry)
        self.recovering_partitions = Gauge(
            "triggers_recovering_partitions", "Partitions of the running restore that are not done", registry=registry
        )
        self.partitions = Gauge("triggers_partitions", "Partitions owned by this worker", registry=registry)
        self.cached_sessions = Gauge("triggers_cached_sessions", "Decoded sessions in memory", registry=registry)
        self.loaded_sessions = Counter(
            "triggers_loaded_sessions", "Sessions decoded because they were not in memory", registry=registry
        )
        self.lag = Gauge(
            "triggers_lag_events",
            "Published events that are not processed, by partition",
            ["partition"],
            registry=registry,
        )

    def text(self) -> bytes:
        """All of them in Prometheus' text format."""
        return generate_latest(self.registry)
