"""A processor whose batches and failures a test chooses."""

from __future__ import annotations

import asyncio

from triggers.errors import BrokerUnavailable
from triggers.store.batch import Batch
from triggers.telemetry.spans import Span


class Decider:
    """A processor that records its batches. One of its calls can raise TryAgain."""

    def __init__(self) -> None:
        self.decided: list[dict[int, int]] = []
        self.twice = asyncio.Event()
        self.forgotten = 0
        self.too_early: set[int] = set()
        """Number of batches that are decided before that call."""
        self.cut: set[int] = set()
        self.kept: set[int] = set()
        """Numbers of the batches that nobody waits for."""
        self.spans: list[Span] = []
        """The spans of each batch."""
        self.exported: list[dict[int, int]] = []
        """The offsets of each batch whose spans were to be exported."""

    def process(self, batch: Batch) -> None:
        if not batch.records:
            return
        if (number := len(self.decided)) in self.too_early:
            self.too_early.remove(number)
            raise BrokerUnavailable("no registry")
        self.decided.append(batch.offsets)
        batch.is_truncated = number in self.cut
        batch.is_awaited = number not in self.kept
        batch.rows[0] = {b"k": b"v"}
        batch.spans = self.spans
        if number == 1:
            self.twice.set()

    def export_spans(self, batch: Batch) -> None:
        self.exported.append(batch.offsets)

    def forget(self, partitions: frozenset[int] | None = None) -> None:  # noqa: ARG002  # all are forgotten
        self.forgotten += 1
