"""Looks for partitions that stand still, without delaying the fetching."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from confluent_kafka import KafkaException

from triggers.agent.consumer.guard import Guard
from triggers.agent.consumer.standstill import Standstills
from triggers.kafka.expected_offsets import Gap
from triggers.kafka.gap_reader import GapReader
from triggers.kafka.pending_gaps import GapState

_POLL_INTERVAL_S: Final = 1.0
_ANSWER_S: Final = 5.0
_PATIENCE_S: Final = 5.0
"""Time limit for an available record to be fetched. It doubles each time that the partition is fetched again."""


class StandstillWatch:
    """Asks the broker about one quiet partition at a time. The second reader confirms a standstill.

    The broker is asked in a separate thread and on a separate connection, because an answer may be late and fetching
    must not wait for it. Everything else runs on the worker's Kafka thread.
    """

    def __init__(self, guard: Guard, asker: GapReader) -> None:
        """The watch owns `asker` and closes it."""
        self._guard = guard
        self._asker = asker
        self._thread = ThreadPoolExecutor(1, "standstills")
        self._asked: Future[tuple[int, int | None]] | None = None
        self._standstills = Standstills()
        self._look_at = 0.0

    def look(
        self, running: frozenset[int], delivered: int, *, drained: bool, lag: Callable[[], Mapping[int, int]]
    ) -> None:
        """Checks the partitions that are read. Called after each fetch; blocks only while a standstill is confirmed.

        `delivered` is the number of records of this fetch. `drained` is True if librdkafka had no more of them. `lag`
        returns the known lags by partition. Raises WrongPosition for a partition that stands still before a record.
        """
        self._standstills.count_delivered(delivered, drained=drained)
        now = time.monotonic()
        if now < self._look_at:
            return
        self._look_at = now + _POLL_INTERVAL_S
        self._standstills.observe({partition: self._guard.next_of(partition) for partition in running}, now)
        if self._asked is not None and self._asked.done():
            partition, end = self._asked.result()
            self._asked = None
            if end is not None and partition in running:
                self._examine(partition, end, now)
        if self._asked is None:
            self._ask(now, lag())

    def close(self) -> None:
        """Stops asking. Blocks until the broker has answered, for a few seconds at most."""
        self._thread.submit(self._asker.close)
        self._thread.shutdown()

    def _ask(self, now: float, lag: Mapping[int, int]) -> None:
        lagging = [partition for partition, records in lag.items() if records]
        partition = self._standstills.to_ask(now, lagging)
        if partition is not None:
            self._asked = self._thread.submit(self._answer, partition)

    def _answer(self, partition: int) -> tuple[int, int | None]:
        """Returns the partition and the end of its committed records, or None if the broker does not answer."""
        try:
            return partition, self._asker.ends(partition, _ANSWER_S)[1]
        except KafkaException:
            return partition, None

    def _examine(self, partition: int, end: int, now: float) -> None:
        patience_s = _PATIENCE_S * 2 ** self._guard.refetches(partition)
        if not self._standstills.stands_still(partition, end, now, patience_s):
            return
        gap = Gap(partition, self._guard.next_of(partition), end, ends_at_record=False)
        examined = self._guard.examine_gaps([gap])[0]
        if examined.state is GapState.SKIPPED:
            raise self._guard.make_standstill_error(examined)
        self._standstills.clear(partition)
