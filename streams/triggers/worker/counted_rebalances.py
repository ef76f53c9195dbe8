"""Counts rebalances."""

from __future__ import annotations

from typing_extensions import override

from triggers.agent.consumer.member import RebalanceListener
from triggers.telemetry.metrics import Metrics


class CountedRebalances(RebalanceListener):
    """Counts the changes of the assignment and passes them on."""

    def __init__(self, listener: RebalanceListener, metrics: Metrics) -> None:
        self._listener = listener
        self._metrics = metrics

    @override
    def on_gained(self, partitions: frozenset[int]) -> None:
        self._metrics.rebalances.labels("gained").inc()
        self._listener.on_gained(partitions)

    @override
    def on_lost(self, partitions: frozenset[int]) -> None:
        self._metrics.rebalances.labels("lost").inc()
        self._listener.on_lost(partitions)
