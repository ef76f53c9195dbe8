"""`SessionSearch`: asks all workers about many sessions."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Generic, TypeVar
from urllib.parse import urlencode

from msgspec import Struct

from triggers.client.owners import Owners
from triggers.client.worker_requests import WorkerRequests, decode_answer
from triggers.errors import CallError, OwnerUnavailable, TryAgain
from triggers.queries.answers import FailureGroups, MissingPartition, Page, StatusCounts
from triggers.queries.cursors import decode_cursor
from triggers.queries.merging import (
    Merged,
    merge_counts,
    merge_groups,
    merge_pages,
    missing_partitions,
    page_of,
)
from triggers.queries.partition_search import PartitionPage
from triggers.queries.partition_totals import PartitionCounts, PartitionGroups
from triggers.queries.session_query import SessionQuery
from triggers.settings import Settings

P = TypeVar("P")

MAX_LIMIT: Final = 1000
"""Maximum number of sessions on a page."""
PATIENCE_S: Final = 2.0
"""Time for which a search waits for partitions that move, and examines further rows until a page is full."""
_PAUSE_S: Final = 0.1
_MAX_THREADS: Final = 16


class PartitionAnswers(Struct, Generic[P], frozen=True):
    """The response of one worker."""

    partitions: dict[int, P]
    refused: dict[int, str] = {}
    """Partitions that it owns and cannot read now, each with the reason."""


class _Gathered(Generic[P]):
    def __init__(self, partitions: dict[int, P], missing: list[MissingPartition]) -> None:
        self.partitions = partitions
        self.missing = missing


class SessionSearch:
    """Finds and counts sessions. Thread-safe, and usable before and after a fork."""

    def __init__(self, settings: Settings, owners: Owners | None = None) -> None:
        self._owners = owners or Owners(settings)
        self._requests = WorkerRequests(settings)
        self._timeout_s = settings.read_timeout_s

    def find(
        self,
        query: SessionQuery,
        *,
        limit: int = 50,
        cursor: str | None = None,
        patience_s: float = PATIENCE_S,
        complete: bool = False,
    ) -> Page:
        """Returns the next sessions that match, in the order of their UIDs, and the cursor of the next page.

        If partitions are still moving after `patience_s`, the page lacks their sessions and names the partitions.
        With `complete`, OwnerUnavailable is raised instead. A page is shorter than `limit`, although there are more,
        if filling it takes longer than `patience_s`.

        Blocks. Raises CallError for a wrong query, limit or cursor, OwnerUnavailable if no worker answers, and
        BrokerUnavailable.
        """
        query.check()
        if not 1 <= limit <= MAX_LIMIT:
            raise CallError(f"limit is {limit}; it must be between 1 and {MAX_LIMIT}")
        after = "" if cursor is None else decode_cursor(query, cursor)
        deadline = time.monotonic() + patience_s
        merged, missing = self._find_more(query, limit, after, deadline)
        while len(merged.sessions) < limit and merged.reached is not None and time.monotonic() < deadline:
            more, also_missing = self._find_more(query, limit - len(merged.sessions), merged.reached, deadline)
            missing = sorted({*missing, *also_missing}, key=lambda each: each.partition)
            merged = Merged([*merged.sessions, *more.sessions], more.reached, merged.examined + more.examined)
        if complete and missing:
            raise _incomplete(missing)
        return page_of(query, merged, missing)

    def pages(
        self, query: SessionQuery, *, limit: int = 200, cursor: str | None = None, patience_s: float | None = None
    ) -> Iterator[Page]:
        """Yields complete pages until the last one, beginning at a cursor.

        Waits up to `patience_s` (default: `read_timeout_s`) for partitions that move. Blocks, and raises like `find`
        with `complete`; a caller that has stored the cursor of the previous page can continue there.
        """
        patience_s = self._timeout_s if patience_s is None else patience_s
        while True:
            page = self.find(query, limit=limit, cursor=cursor, patience_s=patience_s, complete=True)
            yield page
            if page.cursor is None:
                return
            cursor = page.cursor

    def count_statuses(self, *, patience_s: float = PATIENCE_S) -> StatusCounts:
        """Returns the number of instances by task and status. Blocks and raises like `find`."""
        answers = self._gather("/counts", PartitionCounts, time.monotonic() + patience_s)
        return StatusCounts(
            counts=merge_counts(each for answer in answers.partitions.values() for each in answer.counts),
            missing=answers.missing,
            counting=sorted(partition for partition, answer in answers.partitions.items() if answer.is_counting),
        )

    def group_failures(self, task: str | None = None, *, patience_s: float = PATIENCE_S) -> FailureGroups:
        """Returns the instances that are failed now, by task, class and text of the exception.

        Blocks and raises like `find`.
        """
        path = "/failures" if task is None else f"/failures?{urlencode({'task': task})}"
        answers = self._gather(path, PartitionGroups, time.monotonic() + patience_s)
        groups, omitted = merge_groups(each for answer in answers.partitions.values() for each in answer.groups)
        return FailureGroups(
            groups=groups,
            missing=answers.missing,
            omitted=omitted,
            is_cut=any(answer.has_more for answer in answers.partitions.values()),
        )

    def _find_more(
        self, query: SessionQuery, limit: int, after: str, deadline: float
    ) -> tuple[Merged, list[MissingPartition]]:
        parameters = {"query": query.to_json().decode(), "limit": limit, "after": after}
        answers = self._gather(f"/find?{urlencode(parameters)}", PartitionPage, deadline)
        return merge_pages(answers.partitions.values(), limit), answers.missing

    def _gather(self, path: str, kind: type[P], deadline: float) -> _Gathered[P]:
        """Asks the workers until all partitions have answered or the deadline is over.

        Raises OwnerUnavailable if no partition has answered by then.
        """
        answered: dict[int, P] = {}
        while True:
            reasons: dict[int, str] = {}
            partitions = self._ask_owners(path, kind, answered, reasons)
            missing = missing_partitions(partitions, answered, reasons)
            if not missing:
                break
            self._owners.forget_owners()
            if time.monotonic() + _PAUSE_S > deadline:
                break
            time.sleep(_PAUSE_S)
        if not answered:
            raise _incomplete(missing)
        return _Gathered(answered, missing)

    def _ask_owners(self, path: str, kind: type[P], answered: dict[int, P], reasons: dict[int, str]) -> int:
        """Adds the answers of partitions that have not answered yet, or why not. Returns the number of partitions."""
        partitions, urls = self._owners.partition_count(), self._owners.urls_by_partition()
        asked = {url for partition, url in urls.items() if partition not in answered}

        def ask(url: str) -> PartitionAnswers[P]:
            try:
                answer = self._requests.get(url, path, self._timeout_s)
                return decode_answer(answer, url, PartitionAnswers[kind])  # type: ignore[valid-type]  # a variable
            except TryAgain as error:
                own = [partition for partition, owner in urls.items() if owner == url]
                return PartitionAnswers({}, dict.fromkeys(own, str(error)))

        for answer in _in_threads(ask, sorted(asked)):
            answered |= {partition: each for partition, each in answer.partitions.items() if partition not in answered}
            reasons |= answer.refused
        for partition, url in urls.items():
            reasons.setdefault(partition, f"worker {url} no longer owns it")
        return partitions


def _in_threads(ask: Callable[[str], PartitionAnswers[P]], urls: list[str]) -> Iterable[PartitionAnswers[P]]:
    if len(urls) <= 1:
        return [ask(url) for url in urls]
    with ThreadPoolExecutor(min(len(urls), _MAX_THREADS), "search") as threads:
        return list(threads.map(ask, urls))


def _incomplete(missing: list[MissingPartition]) -> OwnerUnavailable:
    first = missing[0]
    numbers = ", ".join(str(each.partition) for each in missing)
    return OwnerUnavailable(f"partitions {numbers} do not answer; partition {first.partition}: {first.reason}")
