"""A member of the workers' group without an agent behind it: what it delivers is committed at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import cast

from confluent_kafka import Consumer, TopicPartition
from tests.support.topic_reader import wait_until

from triggers.kafka.witness import Witness
from triggers.processing.fetched_partitions import FetchedPartitions
from triggers.processing.guard import Guard, RecordsSkipped
from triggers.processing.kafka_options import Options, member_options, witness_options
from triggers.processing.member import Member
from triggers.processing.metrics import Metrics
from triggers.processing.ownership import Ownership
from triggers.processing.standstill_watch import StandstillWatch
from triggers.settings import Settings
from triggers.topology import Topology


class EventReader:
    """Reads the events as a worker does, and remembers the offsets that came. One partition at a time matters: 0."""

    def __init__(self, settings: Settings, options: Options) -> None:
        self._topic = Topology(settings.namespace).events
        self._ownership = Ownership()
        self.metrics = Metrics()
        self.delivered: list[int] = []
        self.refused = 0
        guard = Guard(Witness(witness_options(settings), self._topic), self.metrics, proof_s=20, pause_s=0.05)
        self.member = Member(
            member_options(settings, "reader") | options,
            self._topic,
            self._ownership,
            self,
            guard,
            StandstillWatch(guard, Witness(witness_options(settings), self._topic)),
            is_empty=lambda _: True,
            patience_s=30,
        )

    def plant(
        self,
        consumer: Callable[[Consumer], object] | None = None,
        partitions: Callable[[Consumer, str], FetchedPartitions] | None = None,
    ) -> None:
        """Put something in the place of the member's consumer, or of how it sets places."""
        if consumer is not None:
            self.member._kafka = cast("Consumer", consumer(self.member._kafka))
        if partitions is not None:
            self.member._fetched = partitions(self.member._kafka, self._topic)

    def gained(self, partitions: frozenset[int]) -> None:
        """See `Rebalances`: nothing has to be restored."""
        assert partitions
        self._ownership.recovered(self._ownership.to_recover())

    def lost(self, partitions: frozenset[int]) -> None:
        """See `Rebalances`."""

    def read(self, at_once: int = 1_000) -> None:
        """Fetch, and commit what came; after a refusal read again from what is committed, as the pump does."""
        try:
            found = self.member.fetch(at_once, 0.05)
        except RecordsSkipped:
            self.refused += 1
            self.member.rewind()
            return
        for partition, records in found.items():
            offsets = [record.offset() or 0 for record in records]
            self._commit(partition, offsets[-1] + 1)
            if partition == 0:
                self.delivered += offsets

    def read_until(self, offset: int, at_once: int = 1_000, timeout_s: float = 90) -> list[int]:
        """What came, once the record at this offset of partition 0 has."""

        def came() -> bool:
            self.read(at_once)
            return bool(self.delivered) and self.delivered[-1] >= offset

        wait_until(came, f"offset {offset} comes", timeout_s)
        return self.delivered

    def _commit(self, partition: int, offset: int) -> None:
        place = TopicPartition(self._topic, partition, offset, "reader")
        self.member._kafka.commit(offsets=[place], asynchronous=False)
        self.member.committed[partition] = offset

    def gaps(self) -> dict[str, int]:
        """Outcome -> how many gaps were counted."""
        samples = next(iter(self.metrics.gaps.collect())).samples
        return {s.labels["outcome"]: int(s.value) for s in samples if s.name.endswith("_total")}

    def standstills(self) -> int:
        """How many were counted."""
        return int(next(iter(self.metrics.standstills.collect())).samples[0].value)


@contextmanager
def reading(settings: Settings, options: Mapping[str, int] | None = None) -> Iterator[EventReader]:
    """A reader that has not joined yet; it leaves in the end."""
    reader = EventReader(settings, dict(options or {}))
    try:
        yield reader
    finally:
        reader.member.leave()
