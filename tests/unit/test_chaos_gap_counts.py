"""What a campaign adds up of the metrics of agents that are killed again and again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.chaos.gap_counts import GapCounts
from tests.chaos.processes import AgentMachine

from triggers.processing.metrics import Metrics


class Scraped(AgentMachine):
    """An agent of which only the metrics are asked."""

    def __init__(self, texts: Iterator[bytes]) -> None:
        self._texts = texts

    def metrics(self) -> bytes:
        return next(self._texts)


def text(**gaps: int) -> bytes:
    """The metrics of a worker that has looked into so many gaps since it started."""
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
        counts.look()

    assert counts.total == total
