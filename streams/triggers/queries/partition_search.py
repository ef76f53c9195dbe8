"""Finds the sessions of one partition that match a query, in the order of their UIDs and with a bounded number of rows.

A query for failed instances reads the index of the partition, every other one the headers. Further rows are read only
for sessions whose header matches.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from typing import Final

from msgspec import Struct

from triggers.core.missing import triggers_awaited
from triggers.core.state.instances import load_instance
from triggers.core.state.plans import Plans
from triggers.core.state.rows import HEADERS, Rows, instances_prefix, session_prefix
from triggers.core.state.session import Session
from triggers.queries.answers import FailedInstance, FoundSession
from triggers.queries.header_checks import RulesByTrigger, early_checks, late_checks
from triggers.queries.header_facts import HeaderFacts, HeaderStart, decode_facts, decode_start
from triggers.queries.index_rows import (
    COUNTS,
    OTHERS,
    counts_key,
    decode_failure,
    failures_prefix,
    is_complete,
    parse_failure_key,
    read_counts,
    start_of_failures,
    view_failure,
)
from triggers.queries.session_query import SessionQuery

_UID_AT: Final = len(HEADERS)
SESSION_COST: Final = 8
"""Rows that a session counts as if more than its header is looked at, because that takes so much longer."""


class PartitionPage(Struct, frozen=True, kw_only=True):
    """The sessions that a search of one partition has found."""

    sessions: list[FoundSession]
    reached: str | None = None
    """The UID up to which all matching sessions are in `sessions`, or None if no sessions are left."""
    examined: int = 0


class PartitionSearch:
    """Searches the rows of one partition. It can be used once."""

    def __init__(self, rows: Rows, plans: Plans, query: SessionQuery, now: int) -> None:
        """`now` is the time in milliseconds by which a session is stuck or not."""
        self._rows = rows
        self._plans = plans
        self._query = query
        self._now = now
        self._early_checks = early_checks(query, self._rules_of)
        self._late_checks = late_checks(query)
        self._examined = 0
        self._failed: Iterator[bytes] = iter(())
        self._next_failed: bytes | None = b""

    def find(self, after: str, limit: int, max_rows: int) -> PartitionPage:
        """Returns the first `limit` sessions after the UID `after`, or fewer after about `max_rows` rows."""
        found: list[FoundSession] = []
        if self._cannot_match():
            return PartitionPage(sessions=found, examined=self._examined)
        reached = start = after.encode()
        self._failed = map(itemgetter(0), groupby(self._failure_rows(start), itemgetter(0)))
        for uid, row in self._failed_sessions(start) if self._query.wants_failed else self._all_sessions(start):
            if (self._examined > max_rows or len(found) >= limit) and reached != start:
                return PartitionPage(sessions=found, reached=reached.decode(), examined=self._examined)
            session = None if row is None else self._match(uid, row)
            if session is not None:
                found.append(session)
            reached = uid
        return PartitionPage(sessions=found, examined=self._examined)

    def _cannot_match(self) -> bool:
        """Returns whether the partition has no session with the rules, or no instance of the task and the status."""
        query = self._query
        if query.rules is not None and not self._has_rules(query.rules, query.version):
            return True
        if (query.status is None and query.task is None) or not is_complete(self._rows):
            return False
        counts = read_counts(self._rows.scan(COUNTS)) if query.task is None else self._counts_of(query.task)
        by_status = [each for _, each in counts]
        self._examined += len(by_status)
        return not any(query.status is None or query.status in each or OTHERS in each for each in by_status)

    def _has_rules(self, name: str, version: int | None) -> bool:
        catalog = self._plans.load_catalog(self._rows)
        return (catalog.newest(name) if version is None else catalog.version(name, version)) is not None

    def _counts_of(self, task: str) -> Iterator[tuple[str, dict[str, int]]]:
        key = counts_key(task)
        row = self._rows.get(key)
        return read_counts(iter(() if row is None else ((key, row),)))

    def _failed_sessions(self, after: bytes) -> Iterator[tuple[bytes, bytes | None]]:
        """Yields each session with a failed instance; its header only if it has one that the query means."""
        for uid, rows in groupby(self._failure_rows(after), itemgetter(0)):
            is_meant = any(self._admits(task, row) for _, task, row in rows)
            yield uid, self._rows.get(HEADERS + uid) if is_meant else None

    def _all_sessions(self, after: bytes) -> Iterator[tuple[bytes, bytes | None]]:
        for key, row in self._rows.scan(HEADERS + self._query.prefix.encode(), HEADERS + after + b"\0"):
            self._examined += 1
            yield key[_UID_AT:], row

    def _failure_rows(self, after: bytes) -> Iterator[tuple[bytes, str, bytes]]:
        """Yields UID, task and row of the failed instances of all sessions after a UID."""
        for key, row in self._rows.scan(start_of_failures(self._query.prefix.encode()), start_of_failures(after)):
            self._examined += 1
            uid, task, _ = parse_failure_key(key)
            if uid > after:
                yield uid, task, row

    def _admits(self, task: str, row: bytes) -> bool:
        failure = decode_failure(row)
        return self._query.admits_failure(task, failure.exception, failure.message)

    def _match(self, uid: bytes, row: bytes) -> FoundSession | None:
        """Returns the session if it matches. Asks the cheap questions first."""
        if (facts := self._check_header(row)) is None:
            return None
        query, failures = self._query, self._failures_of(uid)
        session = self._load(uid) if self._needs_session(failures) else None
        if session is not None and not self._matches_session(session, uid):
            return None
        waits_behind = [] if session is None or query.stuck_ms is None else _waits_behind(session, failures)
        if query.stuck_ms is not None and not waits_behind and facts.clock > self._now - query.stuck_ms:
            return None
        return facts.as_found(uid.decode(), failures, waits_behind)

    def _check_header(self, row: bytes) -> HeaderFacts | None:
        """Returns what a header says of its session, or None if the session does not match."""
        if self._early_checks:
            start = decode_start(row)
            for is_possible in self._early_checks:
                if not is_possible(start):
                    return None
        facts = decode_facts(row)
        return None if facts.deleted or not all(check(facts) for check in self._late_checks) else facts

    def _load(self, uid: bytes) -> Session:
        self._examined += SESSION_COST
        return Session(uid.decode(), self._rows, self._plans)

    def _rules_of(self, facts: HeaderStart) -> RulesByTrigger:
        """Returns the rules of a session by the triggers that they use."""
        return self._plans.load(facts.configuration, self._rows).by_trigger

    def _failures_of(self, uid: bytes) -> list[FailedInstance]:
        """Returns the failed instances of a session. The search advances in the index as it does in the headers, so
        that sessions without failures cost no look-up.
        """
        if not self._query.wants_failed:
            while self._next_failed is not None and self._next_failed < uid:
                self._next_failed = next(self._failed, None)
            if self._next_failed != uid:
                return []
        failures = [view_failure(key, row) for key, row in self._rows.scan(failures_prefix(uid))]
        self._examined += len(failures)
        return failures

    def _needs_session(self, failures: list[FailedInstance]) -> bool:
        query = self._query
        names = (
            (query.seen, query.missing) if query.wants_failed else (query.status, query.task, query.seen, query.missing)
        )
        return any(name is not None for name in names) or (query.stuck_ms is not None and bool(failures))

    def _matches_session(self, session: Session, uid: bytes) -> bool:
        query = self._query
        if query.seen is not None and session.latest.get(query.seen) is None:
            return False
        if query.missing is not None and not _awaits(session, query.missing):
            return False
        if query.wants_failed:
            return True
        if query.status is not None:
            return self._has_status(uid, query.status)
        return query.task is None or ((state := session.tasks.get(query.task)) is not None and state.count > 0)

    def _has_status(self, uid: bytes, status: str) -> bool:
        """Returns whether an instance of the session, or of the task that the query names, has this status."""
        prefix = session_prefix(uid.decode())
        for key, row in self._rows.scan(prefix + instances_prefix(self._query.task)):
            self._examined += 1
            if load_instance(key[len(prefix) :], row).instance.status == status:
                return True
        return False


def _awaits(session: Session, trigger: str) -> bool:
    rules = session.plan.by_trigger.get(trigger, ())
    return any(trigger in triggers_awaited(session, rule) for rule in rules if trigger in rule.after_set)


def _waits_behind(session: Session, failures: list[FailedInstance]) -> list[str]:
    """Returns the tasks of failed instances that other tasks of the session wait for."""
    tasks = sorted({failure.task for failure in failures})
    return [task for task in tasks if _awaits(session, task)]
