"""`JobPlanner`: selects the items of a job, shows them, and records the job."""

from __future__ import annotations

import secrets
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import msgspec
from msgspec import Struct

from triggers.client.dead_letters import DeadLetters
from triggers.client.letter_query import LetterQuery
from triggers.client.published_rules import StreamRules, version_to_adopt
from triggers.client.session_reader import SessionReader
from triggers.client.session_search import SessionSearch
from triggers.codec import check_event
from triggers.errors import CallError, JobNotFound, SessionNotFound, TooManyItems
from triggers.jobs.changes import event_of
from triggers.jobs.job import Job
from triggers.jobs.job_log import JobLog
from triggers.jobs.records import (
    DEFAULT_RATE,
    LETTERS,
    MAX_ITEMS,
    Action,
    JobChange,
    JobCreated,
    JobItem,
    JobItems,
    JobRecord,
)
from triggers.jobs.selection import (
    filter_for,
    item_of_adoption,
    item_of_letter,
    item_of_session,
    items_of_failures,
    items_of_view,
    letter_filter_for,
)
from triggers.queries import FoundSession, SessionQuery
from triggers.queries.known_statuses import check_status
from triggers.settings import Settings

MAX_RATE: Final = 10_000.0
MAX_ID: Final = 64
"""Maximum number of characters of a job's id."""
_THREADS: Final = 8
_RECORD_BYTES: Final = 200_000
_GROUPS: Final = 10


class ItemGroup(Struct, frozen=True, kw_only=True):
    """Items that were selected for the same reason."""

    task: str
    """Empty if the items are whole sessions."""
    reason: str
    items: int


class Selection(Struct, frozen=True, kw_only=True):
    """The change of a job, with the items that its filter finds."""

    change: JobChange
    where: SessionQuery | LetterQuery
    """The filter, with the status that the action implies."""
    items: list[JobItem]

    @property
    def sessions(self) -> int:
        """Number of sessions that have an item. For dead letters, these are the keys of their records."""
        return len({item.session for item in self.items})

    def groups(self, limit: int = _GROUPS) -> list[ItemGroup]:
        """Returns the items by task and reason, the largest groups first."""
        counted = Counter((item.instance.rpartition("#")[0], item.reason) for item in self.items)
        return [ItemGroup(task=task, reason=reason, items=n) for (task, reason), n in counted.most_common(limit)]


class JobPlanner:
    """Selects the items of jobs, and records the jobs. Thread-safe.

    All methods block, and raise BrokerUnavailable and OwnerUnavailable.
    """

    def __init__(self, settings: Settings, log: JobLog, search: SessionSearch, reader: SessionReader) -> None:
        self._settings = settings
        self._log = log
        self._search = search
        self._reader = reader

    def select(self, change: JobChange, query: SessionQuery, max_items: int = MAX_ITEMS) -> Selection:
        """Returns what a job would change in sessions now. All partitions must answer.

        Raises CallError for a filter that is empty, does not fit the action or has an unknown status; TooManyItems.
        """
        where = filter_for(change.action, query)
        if change.action is Action.ADOPT:
            publications = StreamRules(self._settings).publications()
            version = version_to_adopt(change.rules, change.version, publications)
            change = msgspec.structs.replace(change, version=version)
        items = _at_most(max_items, self._items(change, where))
        if not items:
            check_status(where.status, self._search.count_statuses)
        return Selection(change=change, where=where, items=items)

    def select_letters(self, change: JobChange, query: LetterQuery, max_items: int = MAX_ITEMS) -> Selection:
        """Returns which open dead letters a job would change now. Reads all of them. Raises as `select` does."""
        where, letters = letter_filter_for(query), DeadLetters(self._settings).read_backwards()
        items = ([item_of_letter(each)] for each in letters if each.mark is None and where.admits(each.letter))
        return Selection(change=change, where=where, items=_at_most(max_items, items)[::-1])

    def create(
        self, selection: Selection, *, actor: str | None, rate: float = DEFAULT_RATE, job_id: str | None = None
    ) -> Job:
        """Records a job with the selected items, and returns it. Nothing is changed until somebody runs it.

        A job that has the id already is returned as it is. Raises CallError for a wrong rate or option.
        """
        if not 0 < rate <= MAX_RATE:
            raise CallError(f"rate is {rate:g}; it must be more than 0 and at most {MAX_RATE:g} items per second")
        created = JobCreated(
            job=job_id or new_job_id(),
            change=selection.change,
            where=selection.where if isinstance(selection.where, SessionQuery) else SessionQuery(),
            letters=selection.where if isinstance(selection.where, LetterQuery) else None,
            items=len(selection.items),
            rate=rate,
            actor=actor,
        )
        self._check_events(created, selection.items)

        def prepare() -> Sequence[JobRecord]:
            if self.existing(created.job) is not None:
                return ()
            return [created, *(JobItems(job=created.job, items=some) for some in _in_parts(selection.items))]

        self._log.write(prepare)
        return self._log.find(created.job)

    def existing(self, job_id: str) -> Job | None:
        """Returns the job with an id, or None."""
        try:
            return self._log.find(job_id)
        except JobNotFound:
            return None

    def _check_events(self, created: JobCreated, items: Sequence[JobItem]) -> None:
        """Raises an error if events with the options of the job cannot be encoded, such as kwargs that are no JSON."""
        for item in () if created.change.action in LETTERS else items[:1]:
            check_event(event_of(Job(created, 0), item), self._settings.max_payload_bytes)

    def _items(self, change: JobChange, query: SessionQuery) -> Iterator[list[JobItem]]:
        """Yields the items of one page of sessions after the other."""
        with ThreadPoolExecutor(_THREADS, "job-plan") as threads:
            for page in self._search.pages(query):
                found = threads.map(lambda session: self._items_of(session, change, query), page.sessions)
                yield [item for items in found for item in items]

    def _items_of(self, session: FoundSession, change: JobChange, query: SessionQuery) -> list[JobItem]:
        if change.action is Action.DELETE:
            return [item_of_session(session)]
        if change.action is Action.ADOPT:
            adopting = item_of_adoption(session, change)
            return [] if adopting is None else [adopting]
        if query.wants_failed and (items := items_of_failures(session, query)) is not None:
            return items
        try:
            view = self._reader.read(session.uid)
        except SessionNotFound:
            return []  # it was deleted after it was found
        return list(items_of_view(view, query, change.action))


def _at_most(limit: int, parts: Iterable[list[JobItem]]) -> list[JobItem]:
    """Returns the items of all parts. Raises TooManyItems."""
    items: list[JobItem] = []
    for some in parts:
        items += some
        if len(items) > limit:
            raise TooManyItems(f"more than {limit} items match; narrow the filter, or allow more")
    return items


def _in_parts(items: Sequence[JobItem]) -> Iterator[list[JobItem]]:
    """Yields the items in parts that are not too large for a record."""
    part, size = list[JobItem](), 0
    for item in items:
        part.append(item)
        size += len(msgspec.json.encode(item))
        if size > _RECORD_BYTES:
            yield part
            part, size = [], 0
    if part:
        yield part


def new_job_id() -> str:
    """Returns an id that sorts by time and that no other job has."""
    return f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(3)}"
