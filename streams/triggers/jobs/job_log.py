"""`JobLog`: reads and writes the topic of the jobs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeVar

from triggers.errors import JobNotFound, TopicMissing, TryAgain
from triggers.jobs.job import Job
from triggers.jobs.records import (
    ItemResult,
    JobCancelled,
    JobCreated,
    JobRecord,
    JobResults,
    decode_job_record,
    encode_job_record,
)
from triggers.kafka.range_reads import partition_starts, read_range
from triggers.kafka.sender import Coordinates
from triggers.kafka.transactional_sending import TransactionalRecord, send_in_transaction
from triggers.settings import Settings
from triggers.topology import Topology

T = TypeVar("T")

_ATTEMPTS: Final = 6
_PAUSE_S: Final = 0.05


class JobLog:
    """The jobs of a namespace. Thread-safe. All methods block and raise BrokerUnavailable.

    Each write comes after all earlier ones, because the writers of all jobs share a transactional id. So a writer
    knows what has been done, and nothing is done twice.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._topic = Topology(settings.namespace).jobs
        self._lock = threading.RLock()
        self._jobs: dict[str, Job] = {}
        self._next: int | None = None
        """Offset of the first record that has not been read."""

    def read_jobs(self) -> list[Job]:
        """Returns all jobs, the newest first."""
        with self._lock:
            self._read_on()
            return sorted(self._jobs.values(), key=lambda job: (job.created, job.id), reverse=True)

    def find(self, job_id: str) -> Job:
        """Returns a job. The object shows what later reads and writes of this log find. Raises JobNotFound."""
        with self._lock:
            self._read_on()
            if job_id not in self._jobs:
                raise JobNotFound(f"there is no job {job_id!r:.100}; `triggers jobs list` shows those of 90 days")
            return self._jobs[job_id]

    def write(self, prepare: Callable[[], Sequence[JobRecord | TransactionalRecord]]) -> list[Coordinates]:
        """Writes what `prepare` returns, all of it or nothing: records of jobs, and events. Returns the coordinates.

        When `prepare` is called, `find` shows everything that was written before, and until the records are written
        nobody else writes any. It is called again if another process was faster, or if a broker has not said whether
        the records are written; if they are, the coordinates are those of the last call. Raises TooLarge and TryAgain.
        """
        with self._lock:
            coordinates = self._send(prepare)
            self._read_on()
            return coordinates

    def record_results(self, job_id: str, results: Iterable[ItemResult]) -> None:
        """Writes what has become of items of a job, if there are any. Raises like `write`."""
        if found := list(results):
            self.write(lambda: [JobResults(job=job_id, results=found)])

    def cancel(self, job_id: str, actor: str | None) -> Job:
        """Cancels the items of a job that are pending, wherever it runs, and returns the job. Raises JobNotFound.

        Items that are published are not undone. A job without pending items stays as it is.
        """
        job = self.find(job_id)
        self.write(lambda: [JobCancelled(job=job_id, actor=actor)] if job.first_pending(1) else [])
        return job

    def _send(self, prepare: Callable[[], Sequence[JobRecord | TransactionalRecord]]) -> list[Coordinates]:
        def prepare_after_earlier_writers() -> list[TransactionalRecord]:
            self._read_on()
            return [each if isinstance(each, TransactionalRecord) else self._record_of(each) for each in prepare()]

        # if an attempt that failed was written nevertheless, `prepare` sees that
        return repeat_while_others_write(
            lambda: send_in_transaction(
                self._settings, self._topic, prepare_after_earlier_writers, reads=[(self._topic, 0)]
            )
        )

    def _record_of(self, record: JobRecord) -> TransactionalRecord:
        return TransactionalRecord(self._topic, 0, record.job.encode(), encode_job_record(record))

    def _read_on(self) -> None:
        """Reads what has been written since the last call."""
        if self._next is None:
            self._next = partition_starts(self._settings, self._topic).get(0, 0)
        for message in read_range(self._settings, self._topic, {0: self._next}):
            record, written = decode_job_record(message.value()), message.timestamp()[1]
            if isinstance(record, JobCreated):
                self._jobs.setdefault(record.job, Job(record, written))
            elif record is not None and record.job in self._jobs:
                self._jobs[record.job].apply(record, written)
            self._next = (message.offset() or 0) + 1


def repeat_while_others_write(write: Callable[[], T]) -> T:
    """Calls `write` until it succeeds, a few times at most, and returns its result. Blocks.

    Only one process at a time writes with a transactional id, and the others raise TryAgain. Raises the error of the
    last attempt, and TopicMissing at once.
    """
    for attempt in range(1, _ATTEMPTS):
        try:
            return write()
        except TopicMissing:
            raise
        except TryAgain:
            time.sleep(_PAUSE_S * attempt)
    return write()
