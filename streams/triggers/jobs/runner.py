"""`JobRunner`: publishes the events of a job's items at its rate, and records what they did."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from triggers.client.session_reader import SessionReader
from triggers.codec import encode_event, encode_key
from triggers.core.view import SessionView
from triggers.errors import SessionNotFound
from triggers.jobs.changes import event_of, obstacle_to, result_of
from triggers.jobs.job import Job
from triggers.jobs.job_log import JobLog
from triggers.jobs.records import ItemResult, ItemState, JobPublished, JobRecord, JobResults
from triggers.kafka.sender import Coordinates
from triggers.kafka.transactional_sending import ANY_PARTITION, TransactionalRecord
from triggers.settings import Settings
from triggers.topology import Topology

SOURCE: Final = "job"
"""Source of the events of jobs."""
_MAX_BATCH: Final = 200
_THREADS: Final = 8
_PAUSE_S: Final = 0.1


class JobRunner:
    """Runs jobs. A run can end at any point; the next one continues with what the log lacks.

    The events of a batch and the record that they are published are in one transaction, so each event is in the log
    once, even if the job is run repeatedly or by several processes at the same time.
    """

    def __init__(self, settings: Settings, log: JobLog, reader: SessionReader) -> None:
        self._events = Topology(settings.namespace).events
        self._patience_s = settings.read_timeout_s
        self._log = log
        self._reader = reader

    def run(self, job_id: str, *, stop: threading.Event, on_progress: Callable[[Job], None] = lambda _: None) -> Job:
        """Runs a job until every item has its result, or until `stop` is set, and returns it. Blocks.

        `on_progress` is called after each batch. Raises JobNotFound, TryAgain, BrokerUnavailable and OwnerUnavailable;
        then the job can be run again.
        """
        job = self._log.find(job_id)
        with ThreadPoolExecutor(_THREADS, "job") as threads:
            on_progress(job)
            while not stop.is_set() and (numbers := job.first_pending(_batch_size(job))):
                began = time.monotonic()
                ready, obsolete = self._examine(threads, job, numbers)
                published = self._publish(job, ready)
                self._record(job, [*obsolete, *self._results(threads, job, published)])
                on_progress(job)
                if not job.is_finished:
                    stop.wait(max(0.0, began + len(numbers) / job.head.rate - time.monotonic()))
            if not stop.is_set():  # what another run has published and not confirmed, because it ended or is slower
                self._record(job, self._results(threads, job, dict.fromkeys(job.unconfirmed())))
        return job

    def _examine(
        self, threads: ThreadPoolExecutor, job: Job, numbers: Sequence[int]
    ) -> tuple[list[int], list[ItemResult]]:
        """Returns the items that still need an event, and the results of those that do not."""
        sessions = self._read_all(threads, {job.items[number].session: None for number in numbers})
        ready, obsolete = [], []
        for number in numbers:
            item = job.items[number]
            if obstacle := obstacle_to(job.head.change.action, item, sessions[item.session]):
                obsolete.append(ItemResult(item=number, state=ItemState.OBSOLETE, detail=obstacle))
            else:
                ready.append(number)
        return ready, obsolete

    def _publish(self, job: Job, numbers: Sequence[int]) -> dict[int, Coordinates]:
        """Publishes the events of the items that nobody has published meanwhile, and returns their coordinates."""
        chosen: list[int] = []

        def prepare() -> Sequence[JobRecord | TransactionalRecord]:
            chosen[:] = [number for number in numbers if job.is_pending(number)]
            if not chosen:
                return ()
            return [*(self._event_record(job, number) for number in chosen), JobPublished(job=job.id, items=chosen)]

        return dict(zip(chosen, self._log.write(prepare), strict=False))

    def _event_record(self, job: Job, number: int) -> TransactionalRecord:
        item = job.items[number]
        value = encode_event(event_of(job, item), SOURCE)
        return TransactionalRecord(self._events, ANY_PARTITION, encode_key(item.session), value)

    def _results(
        self, threads: ThreadPoolExecutor, job: Job, published: Mapping[int, Coordinates | None]
    ) -> Iterator[ItemResult]:
        """Yields the results of the events whose effects are known."""
        deadline = time.monotonic() + self._patience_s
        results = threads.map(lambda number: self._result(job, number, published[number], deadline), published)
        return (result for result in results if result is not None)

    def _result(self, job: Job, number: int, after: Coordinates | None, deadline: float) -> ItemResult | None:
        """Returns the result of an item whose event is at the coordinates `after`.

        These are None if an earlier run ended before it recorded the result. Then the status of the instance shows
        whether the event was applied or another one came first. Returns None if neither has happened by the deadline.
        """
        item, action = job.items[number], job.head.change.action
        while True:
            session = self._read(item.session, after)
            if after is not None or obstacle_to(action, item, session):
                return result_of(action, number, item, session)
            if time.monotonic() > deadline:
                return None
            time.sleep(_PAUSE_S)

    def _record(self, job: Job, results: Iterable[ItemResult]) -> None:
        if found := list(results):
            self._log.write(lambda: [JobResults(job=job.id, results=found)])

    def _read_all(self, threads: ThreadPoolExecutor, uids: Iterable[str]) -> dict[str, SessionView | None]:
        wanted = list(uids)
        return dict(zip(wanted, threads.map(self._read, wanted), strict=True))

    def _read(self, uid: str, after: Coordinates | None = None) -> SessionView | None:
        """Returns a session, or None if there is none."""
        try:
            return self._reader.read(uid, after)
        except SessionNotFound:
            return None


def _batch_size(job: Job) -> int:
    """Returns how many items are published at once: those of a second, but not too many."""
    return max(1, min(_MAX_BATCH, int(job.head.rate)))
