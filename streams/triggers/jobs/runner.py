"""`JobRunner`: changes the items of a job at its rate, and records what has become of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Protocol

from triggers.client.session_reader import SessionReader
from triggers.jobs.job import Job
from triggers.jobs.job_log import JobLog
from triggers.jobs.letter_work import LetterWork
from triggers.jobs.records import LETTERS
from triggers.jobs.session_work import SessionWork
from triggers.settings import Settings

_MAX_BATCH: Final = 200
_THREADS: Final = 8


class Work(Protocol):
    """The work of a job on its items. Both methods may be repeated, and an item is changed once nevertheless."""

    def change(self, numbers: Sequence[int]) -> None:
        """Changes items that are pending, and records what has become of them."""

    def confirm(self, numbers: Sequence[int]) -> None:
        """Records what has become of items that another run has begun to change."""


class JobRunner:
    """Runs jobs. A run can end at any point; the next one continues with what the log lacks.

    An item is changed by a transaction that also says so: the record of its event, or the mark of its dead letter. So
    it is changed once, even if the job is run repeatedly or by several processes at the same time.
    """

    def __init__(self, settings: Settings, log: JobLog, reader: SessionReader) -> None:
        self._settings = settings
        self._log = log
        self._reader = reader

    def run(self, job_id: str, *, stop: threading.Event, on_progress: Callable[[Job], None] = lambda _: None) -> Job:
        """Runs a job until every item has its result, or until `stop` is set, and returns it. Blocks.

        `on_progress` is called after each batch. Raises JobNotFound, TryAgain, BrokerUnavailable and OwnerUnavailable;
        then the job can be run again.
        """
        job = self._log.find(job_id)
        with ThreadPoolExecutor(_THREADS, "job") as threads:
            work = self._work_of(job, threads)
            on_progress(job)
            while not stop.is_set() and (numbers := job.first_pending(_batch_size(job))):
                began = time.monotonic()
                work.change(numbers)
                on_progress(job)
                if not job.is_finished:
                    stop.wait(max(0.0, began + len(numbers) / job.head.rate - time.monotonic()))
            if not stop.is_set():  # what another run has begun and not confirmed, because it ended or is slower
                work.confirm(job.unconfirmed())
        return job

    def _work_of(self, job: Job, threads: ThreadPoolExecutor) -> Work:
        if job.head.change.action in LETTERS:
            return LetterWork(self._settings, self._log, job)
        return SessionWork(self._settings, self._log, self._reader, job, threads)


def _batch_size(job: Job) -> int:
    """Returns how many items are changed at once: those of a second, but not too many."""
    return max(1, min(_MAX_BATCH, int(job.head.rate)))
