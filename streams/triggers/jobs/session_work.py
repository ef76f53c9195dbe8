"""`SessionWork`: changes sessions and their instances, by events whose transaction says which items they belong to."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from triggers.client.session_events import SessionEvents
from triggers.client.session_reader import SessionReader
from triggers.codec import encode_event, encode_key
from triggers.core.view import SessionView
from triggers.errors import NotFound, SessionNotFound
from triggers.jobs.changes import event_of, obstacle_to, refused_after, result_of
from triggers.jobs.job import Job
from triggers.jobs.job_log import JobLog
from triggers.jobs.records import WHOLE_SESSIONS, Action, ItemResult, ItemState, JobItem, JobPublished, JobRecord
from triggers.kafka.sender import Coordinates
from triggers.kafka.transactional_sending import ANY_PARTITION, TransactionalRecord
from triggers.settings import Settings
from triggers.topology import Topology

SOURCE: Final = "job"
"""Source of the events of jobs."""
_PAUSE_S: Final = 0.1


class SessionWork:
    """The work of a job on sessions. All methods block; see `JobRunner.run` for what they raise."""

    def __init__(
        self, settings: Settings, log: JobLog, reader: SessionReader, job: Job, threads: ThreadPoolExecutor
    ) -> None:
        self._events = Topology(settings.namespace).events
        self._patience_s = settings.read_timeout_s
        self._log = log
        self._reader = reader
        self._session_events = SessionEvents(settings, reader)
        self._job = job
        self._threads = threads

    def change(self, numbers: Sequence[int]) -> None:
        """Publishes the events of items that still need one, and records what has become of the items."""
        ready, obsolete = self._examine(numbers)
        published = self._publish(ready)
        self._log.record_results(self._job.id, [*obsolete, *self._results(published)])

    def confirm(self, numbers: Sequence[int]) -> None:
        """Records what has become of items whose events are published, if that is known by now."""
        published: dict[int, Coordinates | None] = dict.fromkeys(numbers)
        if self._job.head.change.action is Action.ADOPT:
            published |= self._repeat([number for number in numbers if not self._has_happened(number)])
        self._log.record_results(self._job.id, self._results(published))

    def _has_happened(self, number: int) -> bool:
        item = self._job.items[number]
        return bool(obstacle_to(self._job.head.change, item, self._read(item.session)))

    def _repeat(self, numbers: Sequence[int]) -> dict[int, Coordinates]:
        """Publishes adoptions again: a refused one has left no trace in its session, an applied one is a duplicate."""
        return dict(zip(numbers, self._log.write(lambda: [*map(self._event_record, numbers)]), strict=True))

    def _examine(self, numbers: Sequence[int]) -> tuple[list[int], list[ItemResult]]:
        """Returns the items that still need an event, and the results of those that do not."""
        sessions = self._read_all({self._job.items[number].session: None for number in numbers})
        ready, obsolete = [], []
        for number in numbers:
            item = self._job.items[number]
            if obstacle := obstacle_to(self._job.head.change, item, sessions[item.session]):
                obsolete.append(ItemResult(item=number, state=ItemState.OBSOLETE, detail=obstacle))
            else:
                ready.append(number)
        return ready, obsolete

    def _publish(self, numbers: Sequence[int]) -> dict[int, Coordinates]:
        """Publishes the events of the items that nobody has published meanwhile, and returns their coordinates."""
        chosen: list[int] = []

        def prepare() -> Sequence[JobRecord | TransactionalRecord]:
            chosen[:] = [number for number in numbers if self._job.is_pending(number)]
            if not chosen:
                return ()
            return [*map(self._event_record, chosen), JobPublished(job=self._job.id, items=chosen)]

        return dict(zip(chosen, self._log.write(prepare), strict=False))

    def _event_record(self, number: int) -> TransactionalRecord:
        item = self._job.items[number]
        value = encode_event(event_of(self._job, item), SOURCE)
        return TransactionalRecord(self._events, ANY_PARTITION, encode_key(item.session), value)

    def _results(self, published: Mapping[int, Coordinates | None]) -> Iterator[ItemResult]:
        """Yields the results of the events whose effects are known."""
        deadline = time.monotonic() + self._patience_s
        results = self._threads.map(lambda number: self._result(number, published[number], deadline), published)
        return (result for result in results if result is not None)

    def _result(self, number: int, after: Coordinates | None, deadline: float) -> ItemResult | None:
        """Returns the result of an item whose event is at the coordinates `after`.

        These are None if an earlier run ended before it recorded the result. Then the status of the instance shows
        whether the event was applied or another one came first. Returns None if neither has happened by the deadline.
        """
        item, change = self._job.items[number], self._job.head.change
        while True:
            session = self._read(item.session, after)
            if after is not None or obstacle_to(change, item, session):
                result = result_of(change, number, item, session)
                return result if self._is_ours(result, item, after) else refused_after(result)
            if time.monotonic() > deadline:
                return None
            time.sleep(_PAUSE_S)

    def _is_ours(self, result: ItemResult, item: JobItem, at: Coordinates | None) -> bool:
        """Returns whether the event of the item has had the effect that its instance shows, and not another event.

        If its coordinates are unknown, it is searched among the events of the session by its id.
        """
        if result.state is not ItemState.APPLIED or self._job.head.change.action in WHOLE_SESSIONS:
            return True
        try:
            if at is not None:
                return self._reader.is_applied(item.session, at)
            event_id = event_of(self._job, item).id
            return any(each.id == event_id for each in self._session_events.read_session(item.session))
        except NotFound:
            return True  # its events are gone, so nobody can say

    def _read_all(self, uids: Iterable[str]) -> dict[str, SessionView | None]:
        wanted = list(uids)
        return dict(zip(wanted, self._threads.map(self._read, wanted), strict=True))

    def _read(self, uid: str, after: Coordinates | None = None) -> SessionView | None:
        """Returns a session, or None if there is none."""
        try:
            return self._reader.read(uid, after)
        except SessionNotFound:
            return None
