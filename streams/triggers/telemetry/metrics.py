"""The metrics of an agent that are counted as it works. They are served at `/metrics`."""

from __future__ import annotations

from prometheus_client import generate_latest

from triggers.telemetry import agent_families as families
from triggers.telemetry.bounded_counter import FailureCounter
from triggers.telemetry.catalogue import MeasuredProcess
from triggers.telemetry.exposition import new_registry


class Metrics:
    """The agent's metrics. What is read when Prometheus asks is in `worker.state_metrics`."""

    def __init__(self) -> None:
        self.registry = new_registry(MeasuredProcess.AGENT)
        self._add_decisions()
        self._add_transactions()
        self._add_reading()
        self._add_partitions()

    def _add_decisions(self) -> None:
        registry = self.registry
        self.events = families.EVENTS.create(registry)
        self.dead_letters = families.DEAD_LETTERS.create(registry)
        self.forwarded = families.FORWARDED_EVENTS.create(registry)
        self.commands = families.COMMANDS.create(registry)
        self.failures = FailureCounter(families.FAILURES, registry)
        self.timers = families.TIMERS.create(registry)
        self.expression_failures = families.EXPRESSION_FAILURES.create(registry)
        self.due_timers = families.DUE_TIMERS.create(registry)
        self.timer_delay = families.TIMER_DELAY.create(registry)

    def _add_transactions(self) -> None:
        registry = self.registry
        self.rows = families.CHANGELOG_ROWS.create(registry)
        self.batch_size = families.BATCH_EVENTS.create(registry)
        self.decide_seconds = families.DECIDE_SECONDS.create(registry)
        self.transaction_seconds = families.TRANSACTION_SECONDS.create(registry)
        self.aborted_transactions = families.ABORTED_TRANSACTIONS.create(registry)

    def _add_reading(self) -> None:
        registry = self.registry
        self.gaps = families.EVENT_GAPS.create(registry)
        self.standstills = families.STANDSTILLS.create(registry)
        self.lag = families.LAG_EVENTS.create(registry)

    def _add_partitions(self) -> None:
        registry = self.registry
        self.restored_rows = families.RESTORED_ROWS.create(registry)
        self.repeated_restores = families.REPEATED_RESTORES.create(registry)
        self.restore_seconds = families.RESTORE_SECONDS.create(registry)
        self.recovering_partitions = families.RECOVERING_PARTITIONS.create(registry)
        self.rebalances = families.REBALANCES.create(registry)
        self.partitions = families.PARTITIONS.create(registry)
        self.cached_sessions = families.CACHED_SESSIONS.create(registry)
        self.loaded_sessions = families.LOADED_SESSIONS.create(registry)

    def text(self) -> bytes:
        """Returns all metrics in Prometheus' text format."""
        return generate_latest(self.registry)
