"""Metrics of the state of a worker's partitions, read when Prometheus asks: instances by status, and RocksDB."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry

from triggers.agent.consumer.progress import Progress
from triggers.queries.partition_totals import count_statuses
from triggers.store.file_figures import FileFigures
from triggers.store.partition_rows import PartitionClosed, PartitionRows
from triggers.telemetry.agent_families import (
    INSTANCES,
    ROCKSDB_COMPACTION_BYTES,
    ROCKSDB_FILE_BYTES,
    ROCKSDB_MEMORY_BYTES,
    ROCKSDB_ROWS,
    ROCKSDB_STOPPED,
    STUCK_COUNT_AGE,
    STUCK_SESSIONS,
)
from triggers.telemetry.bounded_counter import OTHER
from triggers.telemetry.families import Family, MeasuredFamilies, Value
from triggers.worker.stuck_sessions import StuckCount, StuckSessions

MAX_TASKS: Final = 1000
"""Number of tasks with time series of their own. Applications choose the names of tasks freely."""
_FAMILIES: Final = (
    INSTANCES,
    STUCK_SESSIONS,
    STUCK_COUNT_AGE,
    ROCKSDB_ROWS,
    ROCKSDB_FILE_BYTES,
    ROCKSDB_MEMORY_BYTES,
    ROCKSDB_COMPACTION_BYTES,
    ROCKSDB_STOPPED,
)


class StateMetrics:
    """Reads the counts in the partition indexes, a row for each task, the stuck sessions, and RocksDB's figures."""

    def __init__(
        self,
        progress: Progress,
        rows_of: Callable[[int], PartitionRows],
        stuck: StuckSessions,
        registry: CollectorRegistry,
    ) -> None:
        self._progress = progress
        self._rows_of = rows_of
        self._stuck = stuck
        MeasuredFamilies(_FAMILIES, self._measure, registry)

    def _measure(self) -> Iterator[tuple[Family, Value]]:
        instances: Counter[tuple[str, str]] = Counter()
        files: list[FileFigures] = []
        for partition in sorted(self._progress.partitions):
            try:
                rows = self._rows_of(partition)
                counts = count_statuses(rows).counts
                files.append(rows.figures())
            except PartitionClosed:  # it is moving to another worker, which counts it
                continue
            for each in counts:
                instances[each.task, each.status] += each.instances
        yield from ((INSTANCES, (labels, number)) for labels, number in limit_tasks(instances).items())
        yield from _stuck_values(list(self._stuck.counts().values()))
        yield from _file_values(files)


def limit_tasks(instances: Counter[tuple[str, str]]) -> Counter[tuple[str, str]]:
    """Returns the numbers with the tasks beyond `MAX_TASKS`, in the order of their names, summed up as `other`."""
    tasks = sorted({task for task, _ in instances})
    if len(tasks) <= MAX_TASKS:
        return instances
    named, limited = frozenset(tasks[:MAX_TASKS]), Counter[tuple[str, str]]()
    for (task, status), number in instances.items():
        limited[task if task in named else OTHER, status] += number
    return limited


def _stuck_values(counts: list[StuckCount]) -> Iterator[tuple[Family, Value]]:
    """Yields no value before the first partition has been counted, so that nobody takes it for zero."""
    if counts:
        yield STUCK_SESSIONS, (("silent",), sum(each.silent for each in counts))
        yield STUCK_SESSIONS, (("behind_failure",), sum(each.behind_failure for each in counts))
        yield STUCK_COUNT_AGE, ((), time.monotonic() - min(each.since for each in counts))


def _file_values(files: list[FileFigures]) -> Iterator[tuple[Family, Value]]:
    yield ROCKSDB_ROWS, ((), sum(each.rows for each in files))
    yield ROCKSDB_FILE_BYTES, ((), sum(each.file_bytes for each in files))
    yield ROCKSDB_MEMORY_BYTES, (("buffers",), sum(each.buffer_bytes for each in files))
    yield ROCKSDB_MEMORY_BYTES, (("readers",), sum(each.reader_bytes for each in files))
    yield ROCKSDB_COMPACTION_BYTES, ((), sum(each.pending_compaction_bytes for each in files))
    yield ROCKSDB_STOPPED, ((), sum(each.is_stopped for each in files))
