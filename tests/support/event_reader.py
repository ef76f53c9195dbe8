"""A member of the workers' group without an agent, which commits every record upon delivery, and records for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import cast

from confluent_kafka import Consumer, Producer, TopicPartition
from tests.support.topic_reader import wait_until

from triggers.agent.consumer.fetched_partitions import FetchedPartitions
from triggers.agent.consumer.guard import Guard, WrongPosition
from triggers.agent.consumer.member import Member
from triggers.agent.consumer.ownership import Ownership
from triggers.agent.consumer.standstill_watch import StandstillWatch
from triggers.kafka.connection import Options
from triggers.kafka.gap_reader import GapReader
from triggers.kafka.reading_options import gap_reader_options
from triggers.kafka.worker_options import member_options
from triggers.settings import Settings
from triggers.telemetry.metrics import Metrics
from triggers.topology import Topology


class EventReader:
    """Reads the events as a worker does, and remembers the delivered offsets of partition 0."""

    def __init__(self, settings: Settings, options: Options) -> None:
        self._topic = Topology(settings.namespace).events
        self._ownership = Ownership()
        self.metrics = Metrics()
        self.delivered: list[int] = []
        self.refused = 0
        guard = Guard(
            GapReader(lambda: gap_reader_options(settings), self._topic), self.metrics, proof_s=20, pause_s=0.05
        )
        self.member = Member(
            member_options(settings, "reader") | options,
            self._topic,
            self._ownership,
            self,
            guard,
            standstills=StandstillWatch(guard, GapReader(lambda: gap_reader_options(settings), self._topic)),
            is_empty=lambda _: True,
            keeps_rows=False,
            patience_s=30,
        )

    def plant(
        self,
        consumer: Callable[[Consumer], object] | None = None,
        partitions: Callable[[Consumer, str], FetchedPartitions] | None = None,
    ) -> None:
        """Replaces the member's consumer, or the object that sets its positions."""
        if consumer is not None:
            self.member._kafka = cast("Consumer", consumer(self.member._kafka))
        if partitions is not None:
            self.member._fetched = partitions(self.member._kafka, self._topic)

    def on_gained(self, partitions: frozenset[int]) -> None:
        """Takes over the partitions at once, because there is nothing to restore."""
        assert partitions
        self._ownership.mark_restored(self._ownership.epochs_to_restore())

    def on_lost(self, partitions: frozenset[int]) -> None:
        """Does nothing, because no state belongs to a partition."""

    def read(self, at_once: int = 1_000) -> None:
        """Fetches and commits. If the guard refuses the records, goes back to the committed offsets."""
        try:
            fetched = self.member.fetch(at_once, 0.05)
        except WrongPosition:
            self.refused += 1
            self.member.rewind()
            return
        for partition, records in fetched.items():
            offsets = [record.offset() or 0 for record in records]
            self._commit(partition, offsets[-1] + 1)
            if partition == 0:
                self.delivered += offsets

    def read_until(self, offset: int, at_once: int = 1_000, timeout_s: float = 90) -> list[int]:
        """Reads until the record at this offset of partition 0 is delivered, and returns all delivered offsets."""

        def is_delivered() -> bool:
            self.read(at_once)
            return bool(self.delivered) and self.delivered[-1] >= offset

        wait_until(is_delivered, f"offset {offset} is delivered", timeout_s)
        return self.delivered

    def _commit(self, partition: int, offset: int) -> None:
        position = TopicPartition(self._topic, partition, offset, "reader")
        self.member._kafka.commit(offsets=[position], asynchronous=False)
        self.member.committed[partition] = offset

    def gaps(self) -> dict[str, int]:
        """Returns how many gaps were counted, by outcome, without those that have not happened."""
        samples = next(iter(self.metrics.gaps.collect())).samples
        return {s.labels["outcome"]: int(s.value) for s in samples if s.name.endswith("_total") and s.value}

    def standstills(self) -> int:
        """Returns how many standstills were counted."""
        return int(next(iter(self.metrics.standstills.collect())).samples[0].value)


@contextmanager
def open_reader(settings: Settings, options: Mapping[str, int] | None = None) -> Iterator[EventReader]:
    """Makes a reader that has not joined yet. It leaves the group at the end."""
    reader = EventReader(settings, dict(options or {}))
    try:
        yield reader
    finally:
        reader.member.leave_group()


def publish_numbers(settings: Settings, events: int) -> None:
    """Publishes a number of events to partition 0."""
    producer = Producer({"bootstrap.servers": settings.brokers, "linger.ms": 20})
    for number in range(events):
        producer.produce(Topology(settings.namespace).events, b"%d" % number, partition=0)
        producer.poll(0)
    assert producer.flush(30) == 0
