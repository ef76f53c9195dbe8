"""A fault campaign adds up the gap metrics of agents although they are killed and restarted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.chaos.gap_counts import GapCounts
from tests.chaos.processes import AgentMachine

from triggers.telemetry.metrics import Metrics


class Scraped(AgentMachine):
    """An agent that only answers requests for its metrics."""

    def __init__(self, texts: Iterator[bytes]) -> None:
        self._texts = texts

    def metrics(self) -> bytes:
        return next(self._texts)


def text(**gaps: int) -> bytes:
    """Returns the metrics of a worker that has examined these numbers of gaps, by outcome, since it started."""
    metrics = Metrics()
    for outcome, number in gaps.items():
        metrics.gaps.labels(outcome).inc(number)
    return metrics.text()


@pytest.mark.parametrize(
    ("texts", "total"),
    [
        ([text(skipped=2), text(skipped=5, harmless=1)], {"skipped": 5, "harmless": 1}),
        ([text(skipped=5), text(skipped=1), text(skipped=3)], {"skipped": 8}),
        ([text(skipped=5), b"", text(skipped=1)], {"skipped": 6}),
    ],
    ids=["one process", "it was started again", "it did not answer meanwhile"],
)
def test_gaps_are_added_up_over_restarts(texts: list[bytes], total: dict[str, int]) -> None:
    counts = GapCounts([Scraped(iter(texts))])

    for _ in texts:
        counts.read_metrics()

    assert counts.total == total
