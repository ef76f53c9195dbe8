"""The facts that the workers and Kafka know of a running installation, and a recorded log does not."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Final, Protocol

from msgspec import Struct

from triggers.client.consumer_lag import Finished, PartitionLag, measure_lag
from triggers.client.dead_letters import OPEN, DeadLetters, StoredLetter
from triggers.client.lag_totals import LagTotal, total_lag
from triggers.client.letter_query import LetterQuery
from triggers.client.owners import Owners
from triggers.client.published_rules import StreamRules
from triggers.client.session_search import SessionSearch
from triggers.client.worker_states import read_worker_states
from triggers.core.events import RulesPublished
from triggers.queries import FailureGroups, Page, RestoringPartition, SessionQuery, StatusCounts
from triggers.settings import Settings

MAX_COUNTED = 1_000
"""Unfinished records of a partition that are counted one by one. A larger lag is shown in offsets only."""


_WORKERS_TIMEOUT_S: Final = 2.0


class InstallationLag(Struct, frozen=True):
    """The lag of the workers and the executors."""

    totals: list[LagTotal]
    """The lag of each group and topic. There are rates from the second measurement on."""
    partitions: list[PartitionLag]


class WorkerPartitions(Struct, frozen=True):
    """The workers, and the partitions of the events that each of them owns."""

    partitions: dict[str, list[int]]
    """URL of a worker -> its partitions."""
    unowned: list[int]
    """Partitions that no worker owns."""
    restoring: list[RestoringPartition] = []
    """Partitions whose workers restore them, and do not apply their events yet."""
    silent: dict[str, str] = {}
    """URL of a worker that does not say how far it is -> why."""


class InstallationReader(Protocol):
    """Answers questions about all sessions and processes. Thread-safe; every method blocks and raises TriggersError."""

    def find(self, query: SessionQuery, limit: int, cursor: str | None, patience_s: float) -> Page:
        """Return the next sessions that match, and the cursor of the next page."""

    def count_statuses(self) -> StatusCounts:
        """Return the number of instances by task and status."""

    def group_failures(self) -> FailureGroups:
        """Return the instances that are failed now by task, exception and message."""

    def measure_lag(self) -> InstallationLag:
        """Measure the lag, and how fast it has changed since the measurement before."""

    def list_workers(self) -> WorkerPartitions:
        """Return the workers with their partitions."""

    def list_letters(self, limit: int, query: LetterQuery, state: str | None) -> list[StoredLetter]:
        """Return the newest dead letters that match, optionally of one state."""

    def read_letter(self, partition: int, offset: int) -> StoredLetter:
        """Return the dead letter at these coordinates. Raises NotFound."""

    def count_letters(self) -> dict[str, int]:
        """Return the number of open dead letters by reason."""

    def list_rules(self) -> list[RulesPublished]:
        """Return all versions of all published rules, in the order in which they were published."""


class KafkaInstallation:
    """An installation on Kafka. It joins no group, commits no offset and publishes nothing."""

    def __init__(self, settings: Settings, finished: Callable[[int, str], Finished] | None = None) -> None:
        """`finished` reads the ledger in the executors' commits, as for `consumer_lag.measure_lag`."""
        self._settings = settings
        self._finished = finished
        self._owners = Owners(settings)
        self._search = SessionSearch(settings)
        self._letters = DeadLetters(settings)
        self._rules = StreamRules(settings)
        self._measuring = threading.Lock()
        self._before: list[PartitionLag] = []
        self._measured_at = 0.0

    def find(self, query: SessionQuery, limit: int, cursor: str | None, patience_s: float) -> Page:
        return self._search.find(query, limit=limit, cursor=cursor, patience_s=patience_s)

    def count_statuses(self) -> StatusCounts:
        return self._search.count_statuses()

    def group_failures(self) -> FailureGroups:
        return self._search.group_failures()

    def measure_lag(self) -> InstallationLag:
        with self._measuring:
            started = time.monotonic()
            rows = measure_lag(self._settings, MAX_COUNTED, self._finished)
            totals = total_lag(rows, self._before, started - self._measured_at)
            self._before, self._measured_at = rows, started
        return InstallationLag(totals, rows)

    def list_workers(self) -> WorkerPartitions:
        self._owners.forget_owners()
        partitions, urls = self._owners.partition_count(), self._owners.urls_by_partition()
        owned: dict[str, list[int]] = {}
        for partition, url in sorted(urls.items()):
            owned.setdefault(url, []).append(partition)
        states, silent = read_worker_states(self._settings, owned, _WORKERS_TIMEOUT_S)
        return WorkerPartitions(
            partitions=dict(sorted(owned.items())),
            unowned=[each for each in range(partitions) if each not in urls],
            restoring=sorted((each for state in states.values() for each in state.restoring), key=_partition_of),
            silent=silent,
        )

    def list_letters(self, limit: int, query: LetterQuery, state: str | None) -> list[StoredLetter]:
        return self._letters.read_newest(limit, query, state)

    def read_letter(self, partition: int, offset: int) -> StoredLetter:
        return self._letters.read_letter(partition, offset)

    def count_letters(self) -> dict[str, int]:
        counts = Counter(each.letter.reason for each in self._letters.read_backwards() if each.state == OPEN)
        return dict(counts.most_common())

    def list_rules(self) -> list[RulesPublished]:
        return self._rules.publications()


def _partition_of(restoring: RestoringPartition) -> int:
    return restoring.partition
