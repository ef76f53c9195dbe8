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

from triggers.agent.records import offsets_of
from triggers.commit.transaction import Aborted
from triggers.kafka.expected_offsets import ExpectedOffsets, Gap, OutOfOrder
from triggers.kafka.gap_reader import GapReader
from triggers.kafka.pending_gaps import ExaminedGap, GapState
from triggers.kafka.records import Record
from triggers.process.exits import ExitCode, Stop
from triggers.telemetry.metrics import Metrics

log = structlog.get_logger(__name__)

_MAX_REFUSALS = 5
"""Maximum number of refusals of a partition in a row. If fetching again helps, it helps the first time."""
_UNPROVEN_PAUSE_S = 5.0
"""Positions that follow only markers can wait, because only the displayed lag needs them."""
_REPEATED = "repeated"
"""The metric's outcome of offsets that were delivered again. All other outcomes are states of examined gaps."""


class RecordsRefused(Aborted):
    """The consumer is at a wrong position in these partitions. None of the records that it delivered may be used."""

    def __init__(self, partitions: frozenset[int]) -> None:
        super().__init__("RECORDS_SKIPPED")
        self.partitions = partitions


class Guard:
    """Accepts records of the events only if it has accepted every record before them.

    It runs on the worker's Kafka thread. After a refusal, the partitions must be started again at the group's committed
    offset.
    """

    def __init__(self, gap_reader: GapReader, metrics: Metrics, *, proof_s: float, pause_s: float) -> None:
        """`proof_s` limits how long a batch waits for a proof.

        `pause_s` is the pause before a partition that was refused twice is fetched again. It doubles with each refusal.
        """
        self._gap_reader = gap_reader
        self._proof_s = proof_s
        self._pause_s = pause_s
        self._metrics = metrics
        self._expected = ExpectedOffsets()
        self._refusals: Counter[int] = Counter()
        self._unproven_until = 0.0

    def start(self, partition: int, offset: int) -> None:
        """Starts a partition at this offset, for the first time or again."""
        self._expected.start(partition, offset)

    def forget(self, partitions: Iterable[int]) -> None:
        """Forgets revoked partitions."""
        gone = list(partitions)
        self._expected.forget(gone)
        for partition in gone:
            self._refusals.pop(partition, None)

    def refusals(self, partition: int) -> int:
        """Returns how many times in a row the partition was refused."""
        return self._refusals[partition]

    def next_of(self, partition: int) -> int:
        """Returns the offset that must come next in a partition that is read."""
        return self._expected.next_of(partition)

    def check_records(self, records: Mapping[int, list[Record]]) -> None:
        """Returns if no record is missing before or between these records. Blocks while a gap is proved harmless.

        Raises RecordsRefused if a record is missing or there is no proof, and Stop if that happens too often in a row.
        """
        gaps: list[Gap] = []
        for partition, fetched in records.items():
            try:
                gaps += self._expected.advance(partition, offsets_of(fetched))
            except OutOfOrder as error:
                self._metrics.gaps.labels(_REPEATED).inc()
                self._refuse({partition: str(error)})
        if gaps:
            self._refuse_unless_harmless(self.examine_gaps(gaps))
        for partition in self._refusals.keys() & records.keys():
            del self._refusals[partition]

    def check_positions(self, positions: Mapping[int, int]) -> dict[int, int]:
        """Returns those of the consumer's positions that no missing record precedes.

        Raises RecordsRefused if a record is missing. Positions that cannot be proved now are omitted and checked again
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
        self._refuse_unless_harmless([each for each in examined if each.state is not GapState.UNPROVEN])
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

    def make_refusal(self, details: Mapping[int, str]) -> RecordsRefused:
        """Returns the error to raise for these partitions. Raises Stop if one was refused too often in a row."""
        for partition, detail in details.items():
            self._refusals[partition] += 1
            log.warning("events are missing and fetched again", detail=detail, refusals=self._refusals[partition])
            if self._refusals[partition] > _MAX_REFUSALS:
                why = f"events are still missing after they were fetched again {_MAX_REFUSALS} times: {detail}"
                raise Stop(ExitCode.SKIPPED, why)
        return RecordsRefused(frozenset(details))

    def make_standstill_refusal(self, examined: ExaminedGap) -> RecordsRefused:
        """Returns the error for a partition that stands still at a record. Raises Stop as `make_refusal` does."""
        self._metrics.standstills.inc()
        return self.make_refusal({examined.gap.partition: f"the consumer stands still; {examined}"})

    def close(self) -> None:
        """Closes the second reader's connections."""
        self._gap_reader.close()

    def _refuse_unless_harmless(self, examined: Iterable[ExaminedGap]) -> None:
        bad = {each.gap.partition: str(each) for each in examined if each.state is not GapState.HARMLESS}
        if bad:
            self._refuse(bad)

    def _refuse(self, details: Mapping[int, str]) -> None:
        skipped = self.make_refusal(details)
        if (again := max(self._refusals[partition] for partition in details) - 1) > 0:
            time.sleep(self._pause_s * 2 ** (again - 1))
        raise skipped
