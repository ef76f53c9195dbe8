"""Looks after partitions that stand still, beside the fetching. On the worker's Kafka thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import structlog
from confluent_kafka import KafkaException

from triggers.kafka.continuity import Gap
from triggers.kafka.verdicts import Verdict
from triggers.processing.guard import Guard
from triggers.processing.standstill import Standstills

log = structlog.get_logger(__name__)

_LOOK_EVERY_S = 1.0
_ANSWER_S = 1.0
"""How long the broker may hold up the fetching; it answers within a millisecond or is away."""
_PATIENCE_S = 5.0
"""How long a record that is there may take to be fetched; doubled each time that it still does not come afterwards."""


class StandstillWatch:
    """Asks the broker about one quiet partition at a time, and has a standstill confirmed by the second reader."""

    def __init__(
        self,
        guard: Guard,
        ask_ends: Callable[[int, float], tuple[int, int]],
        lag: Callable[[], Mapping[int, int]],
    ) -> None:
        """`ask_ends`: (partition, seconds) -> its first offset and its end; `lag`: by partition, as far as known."""
        self._guard = guard
        self._ask_ends = ask_ends
        self._lag = lag
        self._standstills = Standstills()
        self._look_at = 0.0

    def look(self, running: frozenset[int], delivered: int, *, drained: bool) -> None:
        """After each fetch: so many records were delivered, and perhaps nothing was left.

        Raises RecordsSkipped for a partition that stands still before a record.
        """
        self._standstills.note_delivered(delivered, drained=drained)
        now = time.monotonic()
        if now < self._look_at:
            return
        self._look_at = now + _LOOK_EVERY_S
        self._standstills.observe({partition: self._guard.next_of(partition) for partition in running}, now)
        lagging = [partition for partition, records in self._lag().items() if records]
        if (partition := self._standstills.to_ask(now, lagging)) is not None:
            self._examine(partition, now)

    def _examine(self, partition: int, now: float) -> None:
        try:
            _, end = self._ask_ends(partition, _ANSWER_S)
        except KafkaException:
            return  # who cannot ask cannot know; the next look may
        patience_s = _PATIENCE_S * 2 ** self._guard.refusals(partition)
        if self._standstills.stands_still(partition, end, now, patience_s):
            gap = Gap(partition, self._guard.next_of(partition), end, ends_at_record=False)
            finding = self._guard.judge_gaps([gap])[0]
            if finding.verdict is Verdict.SKIPPED:
                raise self._guard.refuse_standstill(finding)
            self._standstills.clear(partition)
