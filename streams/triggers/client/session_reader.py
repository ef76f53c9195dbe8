"""`SessionReader`: reads sessions from the workers that own them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import quote, urlencode

from msgspec import Struct

from triggers.client.owners import Owners
from triggers.client.worker_requests import WorkerRequests, decode_answer
from triggers.core.view import SessionSummary, SessionView
from triggers.errors import TryAgain
from triggers.kafka.sender import Coordinates
from triggers.settings import Settings

T = TypeVar("T")

_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 0.5
_SHORTEST_WAIT_S = 0.1


class _Listed(Struct):
    sessions: list[SessionSummary]


class RulesOffset(Struct, frozen=True):
    """The offset of published rules."""

    offset: int
    name: str
    version: int


class EventOffsets(Struct, frozen=True):
    """The offsets of a session's events."""

    partition: int
    offsets: list[int]
    """In the order in which the events were applied. Refused events are not included."""
    rules: list[RulesOffset] = []
    """The offsets that belong to the published rules that the session took, not to events of its own."""


class RulesCount(Struct, frozen=True):
    """How many sessions have a version of published rules."""

    name: str
    version: int
    sessions: int


class _Counted(Struct):
    rules: list[RulesCount]


class SessionReader:
    """Asks the workers over HTTP, and repeats requests while partitions move to other workers.

    Thread-safe, and usable before and after a fork.
    """

    def __init__(self, settings: Settings, owners: Owners | None = None) -> None:
        self._timeout_s = settings.read_timeout_s
        self._owners = owners or Owners(settings)
        self._requests = WorkerRequests(settings)

    def read(self, uid: str, after: Coordinates | None = None) -> SessionView:
        """Returns the session. With `after`, waits until the record at these coordinates is applied.

        Blocks for at most `read_timeout_s`, then raises OwnerUnavailable or BrokerUnavailable. Raises SessionNotFound,
        and CallError for an invalid UID.
        """
        return self._until_answered(lambda left_s: self._read(uid, after, left_s))

    def summaries(self, prefix: str = "", limit: int = 100) -> list[SessionSummary]:
        """Returns summaries of the first `limit` sessions of all workers, in order of their UIDs.

        Blocks and raises like `read`.
        """
        return self._until_answered(lambda left_s: self._summaries(prefix, limit, left_s))

    def event_offsets(self, uid: str) -> EventOffsets:
        """Returns the offsets of the session's events from the owner's event index. Blocks and raises like `read`."""
        return self._until_answered(lambda left_s: self._event_offsets(uid, left_s))

    def is_applied(self, uid: str, at: Coordinates) -> bool:
        """Returns whether the session's event at the coordinates was applied. Blocks and raises like `read`.

        The worker must have read it already, as after `read` with these coordinates. What is not applied was refused.
        """
        return at.offset in self.event_offsets(uid).offsets

    def rules_counts(self) -> list[RulesCount]:
        """Returns how many sessions have which published rules. All workers count. Blocks and raises like `read`."""
        return self._until_answered(self._rules_counts)

    def _rules_counts(self, left_s: float) -> list[RulesCount]:
        answers = [(url, self._requests.get(url, "/rules", left_s)) for url in self._owners.urls_of_workers()]
        counts: Counter[tuple[str, int]] = Counter()
        for url, answer in answers:
            for each in decode_answer(answer, url, _Counted).rules:
                counts[each.name, each.version] += each.sessions
        return [RulesCount(name, version, sessions) for (name, version), sessions in sorted(counts.items())]

    def _read(self, uid: str, after: Coordinates | None, left_s: float) -> SessionView:
        partition = self._owners.partition_of_session(uid) if after is None else after.partition
        wait = {} if after is None else {"after": after.offset, "timeout": f"{left_s:.1f}"}
        url = self._owners.url_of_owner(partition)
        answer = self._requests.get(url, f"/sessions/{quote(uid, safe='')}?{urlencode(wait)}", left_s)
        return decode_answer(answer, url, SessionView)

    def _event_offsets(self, uid: str, left_s: float) -> EventOffsets:
        url = self._owners.url_of_owner(self._owners.partition_of_session(uid))
        return decode_answer(self._requests.get(url, f"/events/{quote(uid, safe='')}", left_s), url, EventOffsets)

    def _summaries(self, prefix: str, limit: int, left_s: float) -> list[SessionSummary]:
        query = urlencode({"prefix": prefix, "limit": limit})
        answers = [
            (url, self._requests.get(url, f"/sessions?{query}", left_s)) for url in self._owners.urls_of_workers()
        ]
        sessions = [session for url, answer in answers for session in decode_answer(answer, url, _Listed).sessions]
        return sorted(sessions, key=lambda session: session.uid)[:limit]

    def _until_answered(self, ask: Callable[[float], T]) -> T:
        deadline, pause = time.monotonic() + self._timeout_s, _FIRST_PAUSE_S
        while True:
            try:
                return ask(max(deadline - time.monotonic(), _SHORTEST_WAIT_S))
            except TryAgain:
                self._owners.forget_owners()
                if time.monotonic() + pause > deadline:
                    raise
            time.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_S)
