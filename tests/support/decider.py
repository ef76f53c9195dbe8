"""A processor whose batches and failures a test chooses."""

from __future__ import annotations

import asyncio

from triggers.agent.batch import Batch
from triggers.errors import BrokerUnavailable


class Decider:
    """A processor that records its batches. One of its calls can raise TryAgain."""

    def __init__(self) -> None:
        self.decided: list[dict[int, int]] = []
        self.twice = asyncio.Event()
        self.forgotten = 0
        self.too_early: set[int] = set()
        """Number of batches that are decided before that call."""
        self.cut: set[int] = set()

    def process(self, batch: Batch) -> None:
        if not batch.records:
            return
        if (number := len(self.decided)) in self.too_early:
            self.too_early.remove(number)
            raise BrokerUnavailable("no registry")
        self.decided.append(batch.offsets)
        batch.truncated = number in self.cut
        batch.rows[0] = {b"k": b"v"}
        if number == 1:
            self.twice.set()

    def export_spans(self, batch: Batch) -> None:
        """Exports nothing, because the test looks at decisions."""

    def forget(self, partitions: frozenset[int] | None = None) -> None:  # noqa: ARG002  # all are forgotten
        self.forgotten += 1
