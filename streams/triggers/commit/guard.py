"""Nothing is applied behind an event that was left out, whatever a consumer delivers.

librdkafka has skipped records before (docs/decisions/0021-no-lookup-no-skip.md), and
a skipped record cannot be seen in what comes after it. So the worker itself knows which offset must come next in every
partition that it reads. Contiguous records cost a comparison; a gap is looked into by a second reader before the agent
sees what comes behind it.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping

import structlog

from triggers.agent.records import offsets_of
from triggers.commit.transaction import Aborted
from triggers.kafka.continuity import ExpectedOffsets, Gap, OutOfOrder
from triggers.kafka.records import Record
from triggers.kafka.verdicts import Finding, Verdict
from triggers.kafka.witness import Witness
from triggers.process.exits import ExitCode, Stop
from triggers.telemetry.metrics import Metrics

log = structlog.get_logger(__name__)

_MOST_REFUSALS = 5
"""In a row. What heals by being fetched again does so at the first time."""
_UNPROVEN_PAUSE_S = 5.0
"""Positions without a record behind them can wait; only the lag that is shown needs them."""
_REPEATED = "repeated"
"""The outcome of offsets that came again; the others are verdicts."""


class RecordsSkipped(Aborted):
    """The consumer is not where it should be in these partitions; nothing of what it delivered may be used."""

    def __init__(self, partitions: frozenset[int]) -> None:
        super().__init__("RECORDS_SKIPPED")
        self.partitions = partitions


class Guard:
    """Lets records of the events pass only if every record before them has passed. On the worker's Kafka thread.

    After a refusal the partitions must be started again where the group has committed.
    """

    def __init__(self, witness: Witness, metrics: Metrics, *, proof_s: float, pause_s: float) -> None:
        """`proof_s`: for how long a batch may wait for a proof. `pause_s`: before a partition that was refused twice is
        fetched again; doubled each time."""
        self._witness = witness
        self._proof_s = proof_s
        self._pause_s = pause_s
        self._metrics = metrics
        self._expected = ExpectedOffsets()
        self._refusals: Counter[int] = Counter()
        self._unproven_until = 0.0

    def start(self, partition: int, offset: int) -> None:
        """The partition is read from this offset on: for the first time, or again."""
        self._expected.start(partition, offset)

    def forget(self, partitions: Iterable[int]) -> None:
        """These partitions are no longer ours."""
        gone = list(partitions)
        self._expected.forget(gone)
        for partition in gone:
            self._refusals.pop(partition, None)

    def refusals(self, partition: int) -> int:
        """How often in a row the partition was refused."""
        return self._refusals[partition]

    def next_of(self, partition: int) -> int:
        """The offset that must come next in a partition that is read."""
        return self._expected.next_of(partition)

    def check_records(self, records: Mapping[int, list[Record]]) -> None:
        """Return if nothing is missing before or between these records. May block for the time of a proof.

        Raises RecordsSkipped if something is missing, or if it cannot be told; Stop when that happens again and again.
        """
        gaps: list[Gap] = []
        for partition, found in records.items():
            try:
                gaps += self._expected.advance(partition, offsets_of(found))
            except OutOfOrder as error:
                self._metrics.gaps.labels(_REPEATED).inc()
                self._refuse({partition: str(error)})
        if gaps:
            self._refuse_unless_harmless(self.judge_gaps(gaps))
        for partition in self._refusals.keys() & records.keys():
            del self._refusals[partition]

    def check_positions(self, positions: Mapping[int, int]) -> dict[int, int]:
        """Those of these positions of the consumer up to which nothing is missing, markers of transactions apart.

        Raises RecordsSkipped if a record is missing. What cannot be told now is left out, and is asked again later.
        """
        if time.monotonic() < self._unproven_until:
            return {}
        gaps = [
            Gap(partition, self.next_of(partition), position, ends_at_record=False)
            for partition, position in positions.items()
            if position > self.next_of(partition)
        ]
        findings = self.judge_gaps(gaps) if gaps else []
        self._refuse_unless_harmless([finding for finding in findings if finding.verdict is not Verdict.UNPROVEN])
        unproven = {finding.gap.partition for finding in findings if finding.verdict is Verdict.UNPROVEN}
        if unproven:
            self._unproven_until = time.monotonic() + _UNPROVEN_PAUSE_S
        for partition in positions.keys() - unproven:
            self._expected.advance_to(partition, positions[partition])
        return {partition: position for partition, position in positions.items() if partition not in unproven}

    def judge_gaps(self, gaps: list[Gap]) -> list[Finding]:
        """What these gaps are, from a second reader; counted. Blocks."""
        findings = self._witness.prove(gaps, self._proof_s)
        for verdict, number in Counter(finding.verdict for finding in findings).items():
            self._metrics.gaps.labels(verdict.value).inc(number)
        return findings

    def refuse(self, details: Mapping[int, str]) -> RecordsSkipped:
        """The error to raise for these partitions. Raises Stop for one that was refused too often in a row."""
        for partition, detail in details.items():
            self._refusals[partition] += 1
            log.warning("events are missing and fetched again", detail=detail, refusals=self._refusals[partition])
            if self._refusals[partition] > _MOST_REFUSALS:
                why = f"fetched {_MOST_REFUSALS} times again, and events are still missing: {detail}"
                raise Stop(ExitCode.SKIPPED, why)
        return RecordsSkipped(frozenset(details))

    def refuse_standstill(self, finding: Finding) -> RecordsSkipped:
        """The error to raise for a partition that stands still before a record. Raises Stop, see `refuse`."""
        self._metrics.standstills.inc()
        return self.refuse({finding.gap.partition: f"it stands still; {finding}"})

    def close(self) -> None:
        """Give up the second reader's connections."""
        self._witness.close()

    def _refuse_unless_harmless(self, findings: Iterable[Finding]) -> None:
        bad = {finding.gap.partition: str(finding) for finding in findings if finding.verdict is not Verdict.HARMLESS}
        if bad:
            self._refuse(bad)

    def _refuse(self, details: Mapping[int, str]) -> None:
        skipped = self.refuse(details)
        if (again := max(self._refusals[partition] for partition in details) - 1) > 0:
            time.sleep(self._pause_s * 2 ** (again - 1))
        raise skipped
