"""Ensures that no event is applied after one that was left out, whatever a consumer delivers.

librdkafka has skipped records before (docs/decisions/0021-no-lookup-no-skip.md), and later records do not show that one
was skipped. So the worker tracks which offset must come next in every partition that it reads. Contiguous records cost
one comparison. If there is a gap, a second reader examines it before the agent gets the records after it.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping

import structlog

from triggers.agent.consumer.fetched_records import offsets_of
from triggers.kafka.expected_offsets import ExpectedOffsets, Gap, OutOfOrder
from triggers.kafka.gap_reader import GapReader
from triggers.kafka.pending_gaps import ExaminedGap, GapState
from triggers.kafka.records import Record
from triggers.process.exits import ExitCode, Stop
from triggers.store.transaction import Aborted
from triggers.telemetry.metrics import Metrics

log = structlog.get_logger(__name__)

_MAX_REFETCHES = 5
"""Maximum number of times in a row that a partition is fetched again. If that helps, it helps the first time."""
_UNPROVEN_PAUSE_S = 5.0
"""Positions that follow only markers can wait, because only the displayed lag needs them."""
_REPEATED = "repeated"
"""The metric's outcome of offsets that were delivered again. All other outcomes are states of examined gaps."""


class WrongPosition(Aborted):
    """The consumer is at a wrong position in these partitions. None of the records that it delivered may be used."""

    def __init__(self, partitions: frozenset[int]) -> None:
        super().__init__("RECORDS_SKIPPED")
        self.partitions = partitions


class Guard:
    """Accepts records of the events only if it has accepted every record before them.

    It runs on the worker's Kafka thread. After `WrongPosition`, the partitions must be started again at the group's
    committed offset.
    """

    def __init__(self, gap_reader: GapReader, metrics: Metrics, *, proof_s: float, pause_s: float) -> None:
        """`proof_s` limits how long a batch waits for a proof.

        `pause_s` is the pause before a partition is fetched again for the second time in a row. It doubles each time.
        """
        self._gap_reader = gap_reader
        self._proof_s = proof_s
        self._pause_s = pause_s
        self._metrics = metrics
        self._expected = ExpectedOffsets()
        self._refetches: Counter[int] = Counter()
        self._unproven_until = 0.0

    def start(self, partition: int, offset: int) -> None:
        """Starts a partition at this offset, for the first time or again."""
        self._expected.start(partition, offset)

    def forget(self, partitions: Iterable[int]) -> None:
        """Forgets revoked partitions."""
        gone = list(partitions)
        self._expected.forget(gone)
        for partition in gone:
            self._refetches.pop(partition, None)

    def refetches(self, partition: int) -> int:
        """Returns how many times in a row the partition was at a wrong position and had to be fetched again."""
        return self._refetches[partition]

    def next_of(self, partition: int) -> int:
        """Returns the offset that must come next in a partition that is read."""
        return self._expected.next_of(partition)

    def check_records(self, records: Mapping[int, list[Record]]) -> None:
        """Returns if no record is missing before or between these records. Blocks while a gap is proved harmless.

        Raises WrongPosition if a record is missing or there is no proof, and Stop if that happens too often in a row.
        """
        gaps: list[Gap] = []
        for partition, fetched in records.items():
            try:
                gaps += self._expected.advance(partition, offsets_of(fetched))
            except OutOfOrder as error:
                self._metrics.gaps.labels(_REPEATED).inc()
                self._raise_error({partition: str(error)})
        if gaps:
            self._raise_unless_harmless(self.examine_gaps(gaps))
        for partition in self._refetches.keys() & records.keys():
            del self._refetches[partition]

    def check_positions(self, positions: Mapping[int, int]) -> dict[int, int]:
        """Returns those of the consumer's positions that no missing record precedes.

        Raises WrongPosition if a record is missing. Positions that cannot be proved now are omitted and checked again
        later.
        """
        if time.monotonic() < self._unproven_until:
            return {}
        gaps = [
            Gap(partition, self.next_of(partition), position, ends_at_record=False)
            for partition, position in positions.items()
            if position > self.next_of(partition)
        ]
        examined = self.examine_gaps(gaps) if gaps else []
        self._raise_unless_harmless([each for each in examined if each.state is not GapState.UNPROVEN])
        unproven = {each.gap.partition for each in examined if each.state is GapState.UNPROVEN}
        if unproven:
            self._unproven_until = time.monotonic() + _UNPROVEN_PAUSE_S
        for partition in positions.keys() - unproven:
            self._expected.advance_to(partition, positions[partition])
        return {partition: position for partition, position in positions.items() if partition not in unproven}

    def examine_gaps(self, gaps: list[Gap]) -> list[ExaminedGap]:
        """Lets the second reader examine these gaps, and counts their states. Blocks."""
        examined = self._gap_reader.prove(gaps, self._proof_s)
        for state, number in Counter(each.state for each in examined).items():
            self._metrics.gaps.labels(state.value).inc(number)
        return examined

    def make_error(self, details: Mapping[int, str]) -> WrongPosition:
        """Returns the error to raise for these partitions. Raises Stop if that was necessary too often in a row."""
        for partition, detail in details.items():
            self._refetches[partition] += 1
            log.warning("events are missing and fetched again", detail=detail, refetches=self._refetches[partition])
            if self._refetches[partition] > _MAX_REFETCHES:
                why = f"events are still missing after they were fetched again {_MAX_REFETCHES} times: {detail}"
                raise Stop(ExitCode.SKIPPED, why)
        return WrongPosition(frozenset(details))

    def make_standstill_error(self, examined: ExaminedGap) -> WrongPosition:
        """Returns the error for a partition that stands still at a record. Raises Stop as `make_error` does."""
        self._metrics.standstills.inc()
        return self.make_error({examined.gap.partition: f"the consumer stands still; {examined}"})

    def close(self) -> None:
        """Closes the second reader's connections."""
        self._gap_reader.close()

    def _raise_unless_harmless(self, examined: Iterable[ExaminedGap]) -> None:
        bad = {each.gap.partition: str(each) for each in examined if each.state is not GapState.HARMLESS}
        if bad:
            self._raise_error(bad)

    def _raise_error(self, details: Mapping[int, str]) -> None:
        error = self.make_error(details)
        if (again := max(self._refetches[partition] for partition in details) - 1) > 0:
            time.sleep(self._pause_s * 2 ** (again - 1))
        raise error
