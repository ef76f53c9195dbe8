"""Measures the lag of the workers and the executors, in offsets and in unfinished records.

An event is finished when a worker has committed it. A command is finished when the executors' commit says that its
result is on Kafka (Celery workers) or that it is in the application's broker (the dispatcher). Commands that are being
run are unfinished.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient, TopicMetadata

from triggers.kafka.client_kind import ClientKind
from triggers.kafka.connection import Options, admin_client, client_options, unavailable
from triggers.kafka.log_bounds import LogBounds, Partition, read_log_bounds
from triggers.kafka.range_reads import open_ranges
from triggers.kafka.repeated_calls import repeat_while_electing
from triggers.kafka.topics import existing_partitions, queues_among
from triggers.settings import Settings
from triggers.topology import Queue, Topology

_TIMEOUT_S = 20.0
_MAX_THREADS = 8
_NO_OFFSET = 0
"""librdkafka's invalid offsets are negative."""

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
        groups = _find_groups(settings, admin)
        with ThreadPoolExecutor(min(len(groups) + 1, _MAX_THREADS), "lag") as threads:
            partitions = [(group.topic, partition) for group in groups for partition in group.partitions]
            bounds = threads.submit(read_log_bounds, admin, partitions)
            commits = list(threads.map(lambda group: _committed_offsets(settings, group), groups))
            reading = _Reading(settings, bounds.result(), count_up_to, finished)
            lags = threads.map(lambda group, commits: _group_lag(reading, group, commits), groups, commits)
            return [lag for rows in lags for lag in rows]
    except KafkaException as error:
        raise unavailable(settings, error) from error


class _Group(NamedTuple):
    """A consumer group, and the topic that it consumes."""

    name: str
    topic: str
    partitions: list[int]


def _find_groups(settings: Settings, admin: AdminClient) -> list[_Group]:
    """Returns the groups of the workers and of the executors of each queue. Raises TopicMissing and KafkaException."""
    names, topics = Topology(settings.namespace), admin.list_topics(timeout=_TIMEOUT_S).topics
    queues: list[Queue] = [None, *queues_among(settings, topics)]
    consumed = [(names.agents, names.events), *((names.executors_of(q), names.commands_of(q)) for q in queues)]
    return [_Group(group, topic, _partitions(settings, admin, topics, topic)) for group, topic in consumed]


def _partitions(settings: Settings, admin: AdminClient, topics: dict[str, TopicMetadata], topic: str) -> list[int]:
    known = topics.get(topic)
    if known is not None and known.error is None and known.partitions:
        return list(range(len(known.partitions)))
    return existing_partitions(settings, admin, topic)  # says why the topic is not listed


@dataclass(frozen=True, slots=True)
class _Reading:
    settings: Settings
    bounds: dict[Partition, LogBounds]
    count_up_to: int
    finished: Callable[[int, str], Finished] | None


def _group_lag(reading: _Reading, group: _Group, commits: dict[int, TopicPartition]) -> list[PartitionLag]:
    bounds = {p: reading.bounds[group.topic, p] for p in group.partitions}
    committed = {p: commits[p].offset if commits[p].offset >= _NO_OFFSET else bounds[p].first for p in bounds}
    near = {p: commits[p] for p in bounds if bounds[p].end - committed[p] <= reading.count_up_to}
    unfinished = _count_unfinished(reading, group.topic, near, bounds)
    return [
        PartitionLag(
            group=group.name,
            topic=group.topic,
            partition=p,
            committed=committed[p],
            end=max(bounds[p].end, committed[p]),
            records=unfinished[p] if p in near else None,
        )
        for p in group.partitions
    ]


def _count_unfinished(
    reading: _Reading, topic: str, commits: dict[int, TopicPartition], bounds: dict[int, LogBounds]
) -> Counter[int]:
    starts = {p: max(commits[p].offset, bounds[p].first) for p in commits}  # retention may have removed earlier records
    finished = {p: _finished(reading, commits[p]) for p in commits}
    count: Counter[int] = Counter()
    behind = {p: (start, bounds[p].stable_end) for p, start in starts.items() if start < bounds[p].stable_end}
    for message in _read(reading.settings, topic, behind, undecided=False):
        partition = message.partition() or 0
        count[partition] += not finished[partition](message.offset() or 0)
    undecided = {p: (max(bounds[p].stable_end, start), bounds[p].end) for p, start in starts.items()}
    open_ones = {p: (start, end) for p, (start, end) in undecided.items() if start < end}
    count.update(message.partition() or 0 for message in _read(reading.settings, topic, open_ones, undecided=True))
    return count


def _read(settings: Settings, topic: str, ranges: dict[int, tuple[int, int]], *, undecided: bool) -> Iterator[Message]:
    """Yields the records of these ranges. Without a range it opens no connection."""
    if ranges:
        with open_ranges(settings, topic, undecided=undecided) as reader:
            yield from reader.read(ranges)


def _finished(reading: _Reading, commit: TopicPartition) -> Finished:
    if reading.finished is None or commit.offset < _NO_OFFSET:
        return lambda _: False
    return reading.finished(commit.offset, commit.metadata or "")


def _committed_offsets(settings: Settings, group: _Group) -> dict[int, TopicPartition]:
    """Returns the committed offset of each partition, using a consumer that never joins the group.

    The admin call of librdkafka 2.16 is not used, because it crashes the process (NULL consumer group in
    `rd_kafka_handle_OffsetFetch`) if the group's coordinator is still loading or has moved.
    """
    requested = [TopicPartition(group.topic, partition) for partition in group.partitions]
    ours: Options = {"group.id": group.name, "enable.auto.commit": False}
    consumer = Consumer(client_options(settings, ClientKind.CONSUMER, ours))
    try:
        commits = repeat_while_electing(lambda: consumer.committed(requested, timeout=_TIMEOUT_S), _TIMEOUT_S)
        return {commit.partition: commit for commit in commits}
    finally:
        consumer.close()
