"""`OverviewReader`: what the installation does now, and what is wrong with it, for the console and `triggers top`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple, TypeVar

from triggers.analysis.times import DAY_MS
from triggers.client.published_rules import newest_versions
from triggers.core.events import RulesPublished
from triggers.overview.installation import InstallationLag, InstallationReader, WorkerPartitions
from triggers.overview.remembered import RememberedValue, ValueOrProblem
from triggers.overview.status_table import StatusTable, status_table
from triggers.queries import FailureGroups, FoundSession, Page, SessionQuery

T = TypeVar("T")

STUCK_MS: Final = DAY_MS
"""Time without a record after which an unresolved session is stuck, as for `triggers list --stuck`."""
_STUCK_READ: Final = 200
_STUCK_SHOWN: Final = 5
_STUCK_PATIENCE_S: Final = 0.5
_PATIENCE_S: Final = 5.0
_KEEP_LETTERS_S: Final = 15.0
"""Counting dead letters reads their whole topic."""


class Stuck(NamedTuple):
    """Stuck sessions, those first in which nothing has happened for the longest time."""

    oldest: list[FoundSession]
    number: int
    has_more: bool
    """True if the search ended before it had seen all sessions; then these are the oldest of those that it found."""
    missing: list[int]


class Overview(NamedTuple):
    """All answers."""

    statuses: ValueOrProblem[StatusTable]
    failures: ValueOrProblem[FailureGroups]
    stuck: ValueOrProblem[Stuck]
    lag: ValueOrProblem[InstallationLag]
    workers: ValueOrProblem[WorkerPartitions]
    letters: ValueOrProblem[dict[str, int]]
    rules: ValueOrProblem[list[RulesPublished]]


class OverviewReader:
    """Asks everything that the overview shows at once. What does not answer in time is said to be missing."""

    def __init__(self, installation: InstallationReader, keep_s: float = 3.0) -> None:
        """`keep_s` is the time for which an answer is kept; those about dead letters are kept longer."""
        self._installation = installation
        self._keep_s = keep_s
        self._threads = ThreadPoolExecutor(len(Overview._fields), "overview")
        self._statuses = self._remember(lambda: status_table(installation.count_statuses()))
        self._failures = self._remember(installation.group_failures)
        self._stuck = self._remember(self._find_stuck)
        self._lag = self._remember(installation.measure_lag)
        self._workers = self._remember(installation.list_workers)
        self._letters = self._remember(installation.count_letters, _KEEP_LETTERS_S)
        self._rules = self._remember(lambda: newest_versions(installation.list_rules()))

    async def read(self) -> Overview:
        """Return all answers, of which some may be a few seconds old."""
        of_workers = asyncio.gather(
            self._statuses.read(_PATIENCE_S),
            self._failures.read(_PATIENCE_S),
            self._stuck.read(_PATIENCE_S),
            self._workers.read(_PATIENCE_S),
        )
        of_kafka = asyncio.gather(
            self._lag.read(_PATIENCE_S), self._letters.read(_PATIENCE_S), self._rules.read(_PATIENCE_S)
        )
        statuses, failures, stuck, workers = await of_workers
        lag, letters, rules = await of_kafka
        return Overview(statuses, failures, stuck, lag, workers, letters, rules)

    def close(self) -> None:
        """End the threads. Questions that have begun are asked to their end."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _remember(self, ask: Callable[[], T], keep_s: float = 0.0) -> RememberedValue[T]:
        return RememberedValue(ask, self._threads, max(keep_s, self._keep_s))

    def _find_stuck(self) -> Stuck:
        query = SessionQuery(stuck_ms=STUCK_MS)
        return oldest_stuck(self._installation.find(query, _STUCK_READ, None, _STUCK_PATIENCE_S))


def oldest_stuck(page: Page) -> Stuck:
    """Return the stuck sessions of a page, the oldest first."""
    oldest = sorted(page.sessions, key=lambda session: session.last_record)[:_STUCK_SHOWN]
    return Stuck(oldest, len(page.sessions), page.cursor is not None, [each.partition for each in page.missing])
