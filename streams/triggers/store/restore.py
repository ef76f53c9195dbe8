"""Bulk restore: writes the committed changelog rows of newly owned partitions into RocksDB, in write batches.

The changelog is compacted, so a row that the Kafka client left out would look like one that compaction has removed.
Therefore a second reader reads the same range, and only offsets that both readers have found count as restored.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from threading import Event, Lock
from weakref import WeakSet

import structlog
from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from triggers.kafka.connection import Options
from triggers.kafka.twin_readings import ReadingsDiffer
from triggers.process.exits import ExitCode, Stop
from triggers.process.footprint import trim_malloc
from triggers.store.orphaned_transactions import OrphanedTransactions
from triggers.store.partition_rows import PartitionRows, StorageFailed
from triggers.store.restore_run import PartitionRestore, RestoreRun
from triggers.store.restored_rows import last_rows
from triggers.store.second_reader import SecondReader
from triggers.telemetry.metrics import Metrics

log = structlog.get_logger(__name__)

_MAX_MESSAGES = 5000
_MAX_REPEATS = 3
_KEEP_CHANGELOG = "the changelog must have cleanup.policy=compact, and nobody may delete its records"


class Restorer:
    """Restores partitions, one restore at a time.

    Only newly owned partitions may be restored. The agent keeps writing a retained partition, and older rows would
    silently overwrite its state.
    """

    def __init__(
        self,
        *,
        options: Callable[[], Options],
        second_options: Callable[[], Options],
        probe_options: Callable[[], Options],
        topic: str,
        rows_of: Callable[[int], PartitionRows],
        metrics: Metrics,
        orphans: OrphanedTransactions,
    ) -> None:
        """The options are made for each restore, because the files of secrets may have changed."""
        self._options = options
        self._second_options = second_options
        self._probe_options = probe_options
        self._topic = topic
        self._rows_of = rows_of
        self._metrics = metrics
        self._orphans = orphans
        self._one_at_a_time = Lock()
        self._writing = Lock()
        self._requests: WeakSet[RestoreRequest] = WeakSet()
        self._alive_at = time.monotonic()
        self._run: RestoreRun | None = None

    @property
    def silent_s(self) -> float:
        """Returns the seconds for which the running restore has made no progress. Thread-safe."""
        return time.monotonic() - self._alive_at

    def progress(self) -> dict[int, PartitionRestore]:
        """Returns how far each partition of the running restore has come. Empty if none runs. Thread-safe."""
        run = self._run
        return {} if run is None else run.progress()

    def request(self, partitions: Iterable[int]) -> RestoreRequest:
        """Requests these partitions, whose files are open. `stop_writing` takes them out again, also before `restore`.

        Must be called by the thread that calls `stop_writing`.
        """
        request = RestoreRequest(partitions)
        with self._writing:
            self._requests.add(request)
        return request

    def restore(self, request: RestoreRequest) -> frozenset[int]:
        """Brings the requested partitions up to the end of the changelog. Returns those that are there.

        Blocks. Waits first until an earlier restore has returned, because that may still be writing.
        """
        stop = request.stop
        with self._one_at_a_time:
            self._alive_at = time.monotonic()
            run = RestoreRun(self._topic, self._metrics)
            ranges = self._ranges(request)
            with self._writing:
                starts = self._starts({p: ranges[p] for p in ranges if p in request.wanted})
            run.begin({p: ranges[p][1] for p, start in starts.items() if start < ranges[p][1]}, starts)
            self._run = run
            self._read_all(run, starts, request)
            self._alive_at = time.monotonic()
            done = frozenset(starts.keys() & request.wanted - run.ends.keys())
            self._orphans.await_decided_offsets(done, stop)
            self._run = None
            run.log_result(done)
            trim_malloc()
            return frozenset() if stop.is_set() else done

    def stop_writing(self, partitions: Iterable[int]) -> None:
        """Takes these partitions out of all requests. When this returns, no write to them is in progress."""
        with self._writing:
            for request in self._requests:
                request.wanted.difference_update(partitions)

    def _ranges(self, request: RestoreRequest) -> dict[int, tuple[int, int]]:
        """Returns the first offset and the end of each partition of the changelog, including undecided rows.

        `commit_transaction` returns before its markers are on every partition, so the end of the *committed* rows may
        come before rows that are committed. The restore reads until its position has passed all rows.
        """
        probe = Consumer(self._probe_options())
        try:
            with self._writing:
                wanted = sorted(request.wanted)
            return {p: span for p in wanted if (span := self._range(probe, p, request.stop)) is not None}
        finally:
            probe.close()

    def _range(self, probe: Consumer, partition: int, stop: Event) -> tuple[int, int] | None:
        while not stop.is_set():
            self._alive_at = time.monotonic()
            try:
                first, end = probe.get_watermark_offsets(TopicPartition(self._topic, partition), timeout=5)
            except KafkaException as error:
                log.warning("restore waits for the broker", partition=partition, error=str(error))
                stop.wait(0.5)
            else:
                return int(first), int(end)
        return None

    def _starts(self, ranges: dict[int, tuple[int, int]]) -> dict[int, int]:
        """Returns the first offset to read of each partition. Raises StorageFailed after it has looked at all of them.

        So all files that must be rebuilt are marked, and the agent ends once, not once for each of them.
        """
        starts, failures = {}, []
        for partition, (first, end) in ranges.items():
            try:
                starts[partition] = self._start(partition, first, end)
            except StorageFailed as failure:
                failures.append(failure)
        if failures:
            raise failures[0]
        return starts

    def _start(self, partition: int, first: int, end: int) -> int:
        """Returns the first offset to read. Raises StorageFailed if the changelog cannot bring the file up to date."""
        rows = self._rows_of(partition)
        start = rows.changelog_offset() + 1
        if start > end:
            raise rows.mark_corrupt(f"it is at offset {start} of {self._topic}/{partition}, which ends at {end}")
        if start >= first:
            return start
        if start > 0:
            raise rows.mark_corrupt(f"it is at offset {start} of {self._topic}/{partition}, which begins at {first}")
        log.error(
            "rows are lost: the beginning of the changelog was removed",
            partition=partition,
            begins=first,
            fix=_KEEP_CHANGELOG,
        )
        return first

    def _read_all(self, run: RestoreRun, starts: dict[int, int], request: RestoreRequest) -> None:
        """Reads until both readers have found the same rows. Raises Stop if they repeatedly differ."""
        for _ in range(_MAX_REPEATS):
            if not run.ends or request.stop.is_set():
                return
            try:
                self._restore(run, starts, request)
            except ReadingsDiffer as error:
                self._metrics.repeated_restores.inc()
                log.error("a restore is repeated", reason=str(error))  # noqa: TRY400  # the traceback would not help
                with self._writing:
                    starts = {p: self._rows_of(p).changelog_offset() + 1 for p in run.ends if p in request.wanted}
                run.begin({p: run.ends[p] for p in starts}, starts)
            else:
                return
        raise Stop(ExitCode.SKIPPED, f"{self._topic} cannot be restored: two readers find different rows repeatedly")

    def _restore(self, run: RestoreRun, starts: dict[int, int], request: RestoreRequest) -> None:
        """Writes rows to RocksDB while both readers fetch the next ones."""
        kafka, second = (
            Consumer(self._options()),
            SecondReader(self._second_options(), self._topic, run.offsets_of_unrestored(starts)),
        )
        stop_second = Event()
        with ThreadPoolExecutor(2, "restore") as threads, closing(kafka):
            reading = threads.submit(second.run, stop_second)
            writing = threads.submit(self._write, {}, {}, request)
            try:
                kafka.assign([TopicPartition(self._topic, p, starts[p]) for p in run.ends])
                while request.wanted & run.ends.keys() and not request.stop.is_set():
                    self._alive_at = time.monotonic()
                    verified = run.compare(second)
                    messages = run.sort_messages(kafka.consume(_MAX_MESSAGES, 0.05))
                    writing.result()
                    writing = threads.submit(self._write, messages, verified, request)
                    run.log_progress()
                    if run.is_stuck() and (undecided := self._undecided(kafka, run.ends)):
                        self._orphans.abort_orphans(undecided)
                    if reading.done():
                        reading.result()
            finally:
                stop_second.set()
                writing.result()
                self._write({}, run.verified, request)

    def _undecided(self, kafka: Consumer, ends: dict[int, int]) -> list[int]:
        """Returns the partitions with an open transaction: the end of their committed rows is before the real end."""
        try:
            committed = {p: kafka.get_watermark_offsets(TopicPartition(self._topic, p), timeout=5)[1] for p in ends}
        except KafkaException:
            return []
        return sorted(p for p, end in ends.items() if committed[p] < end)

    def _write(self, messages: dict[int, list[Message]], verified: dict[int, int], request: RestoreRequest) -> None:
        """Writes rows by partition, and the offset up to which both readers agree: `verified`.

        All rows up to that offset must have been written by earlier calls.
        """
        for partition in messages.keys() | verified.keys():
            fetched = messages.get(partition, [])
            rows = last_rows(fetched)
            with self._writing:
                if partition in request.wanted and not request.stop.is_set():
                    self._rows_of(partition).write(rows, verified.get(partition))
                    self._metrics.restored_rows.inc(len(fetched))


class RestoreRequest:
    """The partitions that a restore was requested for and that have not been revoked since.

    A restore waits for the one before it. If the partitions were only known to the waiting thread, one that is revoked
    meanwhile would be restored nevertheless, into files that are closed by then.
    """

    def __init__(self, partitions: Iterable[int]) -> None:
        self.wanted = set(partitions)
        """Changed only with the restorer's lock for writing."""
        self.stop = Event()
        """Set it to end the restore before its next write."""
