"""Bulk restore: committed changelog rows of newly owned partitions into RocksDB, in write batches."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from threading import Event, Lock

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from triggers.kafka.error_codes import PARTITION_EOF
from triggers.processing.exits import ExitCode, Stop
from triggers.processing.kafka_options import Options
from triggers.processing.memory import return_freed_pages
from triggers.processing.metrics import Metrics
from triggers.processing.partition_rows import PartitionRows
from triggers.processing.predecessors import Predecessors

log = structlog.get_logger(__name__)

_MOST = 5000
_PROGRESS_S = 5.0
_STUCK_AFTER_S = 0.1
"""Longer than the markers of a decided transaction take."""
_STUCK_AGAIN_AFTER_S = 1.5


class Restorer:
    """Restores partitions, one restore at a time.

    Only what is newly owned may be restored: a retained partition is being written by the agent at this moment, and
    putting older rows again would turn its state back silently.
    """

    def __init__(  # noqa: PLR0913  # everything a restore needs
        self,
        *,
        options: Options,
        probe_options: Options,
        topic: str,
        rows_of: Callable[[int], PartitionRows],
        metrics: Metrics,
        predecessors: Predecessors,
    ) -> None:
        self._options = options
        self._probe_options = probe_options
        self._topic = topic
        self._rows_of = rows_of
        self._metrics = metrics
        self._predecessors = predecessors
        self._one_at_a_time = Lock()
        self._writing = Lock()
        self._wanted: set[int] = set()
        self._beat = time.monotonic()

    @property
    def silent_s(self) -> float:
        """For how long the restore that is under way has shown no sign of life. Any thread."""
        return time.monotonic() - self._beat

    def restore(self, partitions: Iterable[int], stop: Event) -> frozenset[int]:
        """Bring these partitions up to the changelog's end; those that are. `stop` ends it before the next write.

        Blocks. Waits for an earlier restore to have left: it may be in the middle of a write.
        """
        with self._one_at_a_time:
            self._beat = time.monotonic()
            with self._writing:
                self._wanted = set(partitions)
            run = _Run(self._topic, self._metrics)
            ends = self._ends(stop)
            with self._writing:
                starts = {p: self._rows_of(p).reached() + 1 for p in ends if p in self._wanted}
            run.todo = {p: ends[p] for p, start in starts.items() if start < ends[p]}
            if run.todo and not stop.is_set():
                self._read(run, starts, stop)
            self._beat = time.monotonic()
            done = frozenset(starts.keys() & self._wanted - run.todo.keys())
            self._predecessors.await_offsets(done, stop)
            run.report(done)
            return_freed_pages()
            return frozenset() if stop.is_set() else done

    def drop(self, partitions: Iterable[int]) -> None:
        """Stop writing these partitions. When it returns, no write to them is under way."""
        with self._writing:
            self._wanted -= set(partitions)

    def _ends(self, stop: Event) -> dict[int, int]:
        """Ends of the changelog's partitions, decided or not.

        `commit_transaction` returns before its markers are on every partition, so the end of the *committed* rows is
        not the end yet: the restore reads until its position has passed everything that was there.
        """
        probe = Consumer(self._probe_options)
        try:
            return {p: end for p in sorted(self._wanted) if (end := self._end(probe, p, stop)) is not None}
        finally:
            probe.close()

    def _end(self, probe: Consumer, partition: int, stop: Event) -> int | None:
        while not stop.is_set():
            self._beat = time.monotonic()
            try:
                _, end = probe.get_watermark_offsets(TopicPartition(self._topic, partition), timeout=5)
            except KafkaException as error:
                log.warning("restore waits for the broker", partition=partition, error=str(error))
                stop.wait(0.5)
            else:
                return int(end)
        return None

    def _read(self, run: _Run, starts: dict[int, int], stop: Event) -> None:
        """RocksDB writes some rows while the next ones are fetched."""
        kafka = Consumer(self._options)
        with ThreadPoolExecutor(1, "restore") as writer, closing(kafka):
            kafka.assign([TopicPartition(self._topic, p, starts[p]) for p in run.todo])
            writing = writer.submit(self._write, {}, stop)
            while self._wanted & run.todo.keys() and not stop.is_set():
                self._beat = time.monotonic()
                found = run.sort(kafka.consume(_MOST, 0.05))
                writing.result()
                writing = writer.submit(self._write, found, stop)
                run.progress()
                if run.is_stuck() and (undecided := self._undecided(kafka, run.todo)):
                    self._predecessors.fence(undecided)
            writing.result()

    def _undecided(self, kafka: Consumer, ends: dict[int, int]) -> list[int]:
        """Where a reader of committed records is shown an earlier end than everybody else: a transaction is open."""
        try:
            shown = {p: kafka.get_watermark_offsets(TopicPartition(self._topic, p), timeout=5)[1] for p in ends}
        except KafkaException:
            return []
        return sorted(p for p, end in ends.items() if shown[p] < end)

    def _write(self, found: dict[int, list[Message]], stop: Event) -> None:
        for partition, messages in found.items():
            rows = {message.key() or b"": message.value() for message in messages}
            with self._writing:
                if partition in self._wanted and not stop.is_set():
                    self._rows_of(partition).write(rows, messages[-1].offset())
                    self._metrics.restored_rows.inc(len(messages))


class _Run:
    """One restore's progress."""

    def __init__(self, topic: str, metrics: Metrics) -> None:
        self.todo: dict[int, int] = {}
        self._topic = topic
        self._metrics = metrics
        self._rows = 0
        self._started = self._said = self._moved = time.monotonic()
        self._patience_s = _STUCK_AFTER_S

    def sort(self, messages: list[Message]) -> dict[int, list[Message]]:
        """Rows by partition; takes a partition whose end was passed off the list."""
        rows: defaultdict[int, list[Message]] = defaultdict(list)
        for message in messages:
            error = message.error()
            if error is None:
                rows[message.partition() or 0].append(message)
            else:
                self._note(error, message)
        self._rows += sum(map(len, rows.values()))
        if messages:
            self._moved = time.monotonic()
        return rows

    def _note(self, error: KafkaError, message: Message) -> None:
        partition, offset = message.partition() or 0, message.offset() or 0
        if error.code() == PARTITION_EOF:
            if offset >= self.todo.get(partition, 0):
                self.todo.pop(partition, None)
        elif error.fatal():
            raise Stop(ExitCode.BROKER, f"restoring: {error.str()}")
        else:
            log.warning("restore", error=error.name(), detail=error.str())

    def is_stuck(self) -> bool:
        """Whether nothing has come for a while; says so once in that time."""
        if time.monotonic() - self._moved < self._patience_s:
            return False
        self._moved, self._patience_s = time.monotonic(), _STUCK_AGAIN_AFTER_S
        return True

    def progress(self) -> None:
        """Say how far it is, from time to time."""
        self._metrics.recovering_partitions.set(len(self.todo))
        if time.monotonic() - self._said > _PROGRESS_S:
            self._said = time.monotonic()
            log.info("restoring", partitions_left=len(self.todo), rows=self._rows, rows_per_s=self._rate())

    def report(self, done: frozenset[int]) -> None:
        """Say what it did."""
        self._metrics.recovering_partitions.set(0)
        seconds = time.monotonic() - self._started
        self._metrics.restore_seconds.observe(seconds)
        log.info(
            "restored", partitions=sorted(done), rows=self._rows, seconds=round(seconds, 3), rows_per_s=self._rate()
        )

    def _rate(self) -> int:
        return int(self._rows / max(time.monotonic() - self._started, 0.001))
