"""Measures the lag of the workers and the executors, in offsets and in unfinished records.

An event is finished when a worker has committed it. A command is finished when the executors' commit says that its
result is on Kafka (Celery workers) or that it is in the application's broker (the dispatcher). Commands that are being
run are unfinished.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from triggers.kafka.client_kind import ClientKind
from triggers.kafka.connection import Options, admin_client, client_options, unavailable
from triggers.kafka.range_reads import read_range, watermarks
from triggers.kafka.repeated_calls import repeat_while_electing
from triggers.kafka.topics import existing_partitions, existing_queues
from triggers.settings import Settings
from triggers.topology import Queue, Topology

_TIMEOUT_S = 20.0
_MAX_THREADS = 8
_NO_OFFSET = 0
"""librdkafka's invalid offsets are negative."""

_Marks = dict[int, tuple[int, int]]
"""The first offset and the end offset of each partition."""
Finished = Callable[[int], bool]
"""Returns whether the record at an offset is finished."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionLag:
    """The lag of a consumer group on one partition."""

    group: str
    topic: str
    partition: int
    committed: int
    """Offset that the group reads next. It is the first offset of the partition if the group has not committed yet."""
    end: int
    """Offset that the next record will have."""
    records: int | None
    """Number of unfinished records. It is None if there are too many to count; `lag` is an upper bound."""

    @property
    def lag(self) -> int:
        """Difference in offsets, as Kafka's tools show it.

        It may be larger than the number of unfinished records, because it also counts transaction markers, and commands
        that are finished while an earlier one is not.
        """
        return self.end - self.committed


def measure_lag(
    settings: Settings, count_up_to: int = 10_000, finished: Callable[[int, str], Finished] | None = None
) -> list[PartitionLag]:
    """Returns the lag of the workers on the events and of the executors on each queue, by topic and partition.

    If a partition's lag is at most `count_up_to`, its records are read and counted; a negative number reads none.
    `finished` receives the offset and the metadata of a commit and returns the predicate for the records after it;
    without it, all of these count as unfinished. Records after the start of an open transaction count as well, although
    no consumer can read them yet.

    Blocks. Raises BrokerUnavailable, also if a topic is missing.
    """
    admin = admin_client(settings)
    try:
        reading, groups = _Reading(settings, admin, count_up_to, finished), _groups(settings, admin)
        with ThreadPoolExecutor(min(len(groups), _MAX_THREADS), "lag") as threads:
            return [row for rows in threads.map(lambda group: _group_lag(reading, *group), groups) for row in rows]
    except KafkaException as error:
        raise unavailable(settings, error) from error


def _groups(settings: Settings, admin: AdminClient) -> list[tuple[str, str]]:
    """Returns each consumer group with its topic."""
    names = Topology(settings.namespace)
    queues: list[Queue] = [None, *existing_queues(settings, admin)]
    return [
        (names.agents, names.events),
        *((names.executors_of(queue), names.commands_of(queue)) for queue in queues),
    ]


@dataclass(frozen=True, slots=True)
class _Reading:
    settings: Settings
    admin: AdminClient
    count_up_to: int
    finished: Callable[[int, str], Finished] | None


def _group_lag(reading: _Reading, group: str, topic: str) -> list[PartitionLag]:
    partitions = existing_partitions(reading.settings, reading.admin, topic)
    commits = _committed_offsets(reading.settings, group, topic, partitions)
    decided = watermarks(reading.settings, topic, partitions)
    ends = watermarks(reading.settings, topic, partitions, undecided=True)
    committed = {p: commits[p].offset if commits[p].offset >= _NO_OFFSET else ends[p][0] for p in partitions}
    near = [p for p in partitions if ends[p][1] - committed[p] <= reading.count_up_to]
    unfinished = _count_unfinished(reading, topic, {p: commits[p] for p in near}, decided, ends)
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
    reading: _Reading, topic: str, commits: dict[int, TopicPartition], decided: _Marks, ends: _Marks
) -> Counter[int]:
    if not commits:
        return Counter()
    starts = {p: max(commits[p].offset, decided[p][0]) for p in commits}  # retention may have removed earlier records
    finished = {p: _finished(reading, commits[p]) for p in commits}
    undecided = {p: max(decided[p][1], starts[p]) for p in commits}
    count: Counter[int] = Counter()
    behind = {p: start for p, start in starts.items() if start < decided[p][1]}
    for message in read_range(reading.settings, topic, behind) if behind else ():
        partition, offset = message.partition() or 0, message.offset() or 0
        count[partition] += offset < undecided[partition] and not finished[partition](offset)
    open_ones = {p: start for p, start in undecided.items() if start < ends[p][1]}
    if open_ones:
        messages = read_range(reading.settings, topic, open_ones, undecided=True)
        count.update(message.partition() or 0 for message in messages)
    return count


def _finished(reading: _Reading, commit: TopicPartition) -> Finished:
    if reading.finished is None or commit.offset < _NO_OFFSET:
        return lambda _: False
    return reading.finished(commit.offset, commit.metadata or "")


def _committed_offsets(settings: Settings, group: str, topic: str, partitions: list[int]) -> dict[int, TopicPartition]:
    """Returns the committed offsets of the group, using a consumer that never joins it.

    The admin call of librdkafka 2.16 is not used, because it crashes the process (NULL consumer group in
    `rd_kafka_handle_OffsetFetch`) if the group's coordinator is still loading or has moved.
    """
    if not partitions:
        return {}
    requested = [TopicPartition(topic, partition) for partition in partitions]
    ours: Options = {"group.id": group, "enable.auto.commit": False}
    consumer = Consumer(client_options(settings, ClientKind.CONSUMER, ours))
    try:
        commits = repeat_while_electing(lambda: consumer.committed(requested, timeout=_TIMEOUT_S), _TIMEOUT_S)
        return {commit.partition: commit for commit in commits}
    finally:
        consumer.close()
