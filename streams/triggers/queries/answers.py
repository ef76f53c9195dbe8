"""Answers to questions about many sessions. Every answer says which partitions it lacks."""

from __future__ import annotations

from msgspec import Struct, field

from triggers.core.view import SessionSummary


class MissingPartition(Struct, frozen=True):
    """A partition of the events that no worker answered for, such as one that moves to another worker."""

    partition: int
    reason: str


class FailedInstance(Struct, frozen=True, kw_only=True):
    """An instance that is failed now."""

    instance: str
    """`<task>#<number>`"""
    task: str
    exception: str
    """Class of the exception, or empty if the application has set the status."""
    message: str
    """The exception's own text, truncated to 500 characters."""
    since: int
    """When it failed."""


class FoundSession(SessionSummary, frozen=True, kw_only=True):
    """A session that matches a query. `modified` is the time of its last change."""

    failed: int = 0
    """Number of failed instances."""
    failures: list[FailedInstance] = field(default_factory=list)
    """The first of them, at most five."""
    last_record: int = 0
    """When its last record came into the log, by the timestamp of the record."""
    waits_behind: list[str] = field(default_factory=list)
    """If the query asks for stuck sessions: tasks of failed instances that others of the session wait for."""


class Page(Struct, frozen=True, kw_only=True):
    """Some of the sessions that match a query, in the order of their UIDs (as UTF-8)."""

    sessions: list[FoundSession]
    cursor: str | None = None
    """Where the next page begins, or None after the last page. A page that is not full may have one, because each
    request examines a limited number of rows."""
    missing: list[MissingPartition] = []
    """Partitions whose sessions the page lacks. It is complete without any."""
    examined: int = 0
    """Number of rows that were examined for this page."""

    @property
    def is_complete(self) -> bool:
        """True if the page has the sessions of all partitions."""
        return not self.missing

    @property
    def is_empty(self) -> bool:
        """True if the page has no session and no further page follows."""
        return not self.sessions and self.cursor is None


class StatusCount(Struct, frozen=True, kw_only=True):
    """How many instances of a task have a status now."""

    task: str
    status: str
    instances: int


class StatusCounts(Struct, frozen=True, kw_only=True):
    """The instances of all sessions by task and status. They are counted as they change, not when one asks."""

    counts: list[StatusCount]
    """Ordered by task and status."""
    missing: list[MissingPartition] = []
    """Partitions that the counts lack."""
    counting: list[int] = []
    """Partitions whose older sessions are still being counted, after an upgrade."""


class FailureGroup(Struct, frozen=True, kw_only=True):
    """Failed instances of one task whose exceptions have the same class and text."""

    task: str
    exception: str
    message: str
    instances: int
    sessions: int
    oldest: int
    """When the first of them failed."""
    newest: int
    example: str
    """UID of one of the sessions."""


class FailureGroups(Struct, frozen=True, kw_only=True):
    """All instances that are failed now, in groups, the largest first."""

    groups: list[FailureGroup]
    missing: list[MissingPartition] = []
    omitted: int = 0
    """Number of failed instances that are in no group, because there are too many different messages."""
    is_cut: bool = False
    """True if there are so many failed instances that only the first 100,000 of a partition are counted."""


class RestoringPartition(Struct, frozen=True, kw_only=True):
    """A partition that a worker owns and restores, before it applies events again."""

    partition: int
    rows: int | None = None
    """Length of the changelog that is read, in offsets. None while the restore has not begun to read."""
    restored: int = 0
    """How much of it is restored."""


class WorkerState(Struct, frozen=True, kw_only=True):
    """The partitions that a worker owns."""

    ready: list[int]
    restoring: list[RestoringPartition] = []
