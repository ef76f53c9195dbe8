"""How far the workers and the executors are behind: the lag in offsets, and the records that are unfinished.

An event is finished when a worker has committed it; a command, when the commit of the executors says that its outcome
is on Kafka (a Celery worker), or that the application's broker has it (the dispatcher). What is in hand is unfinished.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from triggers.client.connection import admin_client, connection_options, unavailable
from triggers.client.topic_range import read_range, watermarks
from triggers.client.topics import partition_count
from triggers.settings import Settings
from triggers.topology import Topology

_TIMEOUT_S = 20.0
_PAUSE_S = 0.2
_ELECTING = frozenset(
    {KafkaError.NOT_COORDINATOR, KafkaError.COORDINATOR_NOT_AVAILABLE, KafkaError.COORDINATOR_LOAD_IN_PROGRESS}
)
_NO_OFFSET = 0
"""librdkafka's invalid offsets are negative."""

Finished = Callable[[int], bool]
"""Whether the record at an offset is finished."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionLag:
    """One consumer group on one partition."""

    group: str
    topic: str
    partition: int
    committed: int
    """Offset that the group reads next; the partition's first one while it has committed none."""
    end: int
    """Offset that the next record gets."""
    records: int | None
    """Unfinished records. None: more than were to be counted, `lag` is the upper bound."""

    @property
    def lag(self) -> int:
        """Distance in offsets, as Kafka's own tools show it.

        It is larger than the number of unfinished records: transaction markers have offsets, too, and so have commands
        that are finished behind one that is not.
        """
        return self.end - self.committed


def consumer_lag(
    settings: Settings, count_up_to: int = 10_000, finished: Callable[[int, str], Finished] | None = None
) -> list[PartitionLag]:
    """Lag of the workers on the events and of the executors on the commands, by group, topic and partition.

    Of a partition that is at most `count_up_to` offsets behind, the records are read and counted. `finished` makes,
    of a commit's offset and metadata, the answer for each record beyond it; without, all of those are unfinished.
    Records behind the begin of an open transaction count: nobody can read them before it is decided.
    Blocks. Raises BrokerUnavailable.
    """
    names = Topology(settings.namespace)
    admin = admin_client(settings)
    try:
        return [
            row
            for group, topic in ((names.agents, names.events), (names.executors, names.commands))
            for row in _group_lag(_Reading(settings, admin, count_up_to, finished), group, topic)
        ]
    except KafkaException as error:
        raise unavailable(settings, error) from error


@dataclass(frozen=True, slots=True)
class _Reading:
    settings: Settings
    admin: AdminClient
    count_up_to: int
    finished: Callable[[int, str], Finished] | None


def _group_lag(reading: _Reading, group: str, topic: str) -> list[PartitionLag]:
    partitions = list(range(partition_count(reading.admin, topic)))
    commits = _commits(reading.settings, group, topic, partitions)
    decided = watermarks(reading.settings, topic, partitions)
    ends = watermarks(reading.settings, topic, partitions, undecided=True)
    committed = {p: commits[p].offset if commits[p].offset >= _NO_OFFSET else ends[p][0] for p in partitions}
    near = [p for p in partitions if ends[p][1] - committed[p] <= reading.count_up_to]
    unfinished = _count_unfinished(reading, topic, {p: commits[p] for p in near}, decided)
    return [
        PartitionLag(
            group=group,
            topic=topic,
            partition=p,
            committed=committed[p],
            end=max(ends[p][1], committed[p]),
            records=unfinished[p] if p in near else None,
        )
        for p in partitions
    ]


def _count_unfinished(
    reading: _Reading, topic: str, commits: dict[int, TopicPartition], decided: dict[int, tuple[int, int]]
) -> Counter[int]:
    starts = {p: max(commits[p].offset, decided[p][0]) for p in commits}  # retention may have removed what comes before
    finished = {p: _finished(reading, commits[p]) for p in commits}
    undecided = {p: max(decided[p][1], starts[p]) for p in commits}
    count: Counter[int] = Counter()
    for message in read_range(reading.settings, topic, starts):
        partition, offset = message.partition() or 0, message.offset() or 0
        count[partition] += offset < undecided[partition] and not finished[partition](offset)
    count.update(message.partition() or 0 for message in read_range(reading.settings, topic, undecided, undecided=True))
    return count


def _finished(reading: _Reading, commit: TopicPartition) -> Finished:
    if reading.finished is None or commit.offset < _NO_OFFSET:
        return lambda _: False
    return reading.finished(commit.offset, commit.metadata or "")


def _commits(settings: Settings, group: str, topic: str, partitions: list[int]) -> dict[int, TopicPartition]:
    """What the group has committed, asked by a consumer that never joins it.

    librdkafka 2.16 has an admin call for this, which takes the process down (NULL consumer group in
    `rd_kafka_handle_OffsetFetch`) when the group's coordinator is still loading or has moved.
    """
    if not partitions:
        return {}
    asked = [TopicPartition(topic, partition) for partition in partitions]
    consumer = Consumer(connection_options(settings) | {"group.id": group, "enable.auto.commit": False})
    try:
        return {commit.partition: commit for commit in _insist(lambda: consumer.committed(asked, timeout=_TIMEOUT_S))}
    finally:
        consumer.close()


def _insist(ask: Callable[[], list[TopicPartition]]) -> list[TopicPartition]:
    """Ask again while the group's coordinator is being elected or loads, as it is when a group is young."""
    deadline = time.monotonic() + _TIMEOUT_S
    while True:
        try:
            return ask()
        except KafkaException as error:
            if error.args[0].code() not in _ELECTING or time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE_S)
