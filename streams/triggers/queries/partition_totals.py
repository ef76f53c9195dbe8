"""Reads the index of one partition: the counts of instances, and the failed ones in groups."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from triggers.core.state.rows import Rows
from triggers.queries.answers import FailureGroup, StatusCount
from triggers.queries.index_rows import (
    COUNTS,
    FAILURES,
    decode_failure,
    is_complete,
    parse_failure_key,
    read_counts,
)

MAX_EXAMINED: Final = 100_000
"""Maximum number of failed instances of a partition that are read for one answer."""


class PartitionCounts(Struct, frozen=True):
    """The counts of a partition."""

    counts: list[StatusCount]
    is_counting: bool = False
    """True if sessions of an earlier release are not counted yet."""


class PartitionGroups(Struct, frozen=True):
    """The failures of a partition."""

    groups: list[FailureGroup]
    has_more: bool = False
    """True if there are more failed instances than were read."""


class _Group(Struct):
    instances: int
    sessions: int
    oldest: int
    newest: int
    last: bytes


def count_statuses(rows: Rows) -> PartitionCounts:
    """Returns the number of instances by task and status."""
    counts = [
        StatusCount(task=task, status=status, instances=number)
        for task, by_status in read_counts(rows.scan(COUNTS))
        for status, number in by_status.items()
    ]
    return PartitionCounts(counts, not is_complete(rows))


def group_failures(rows: Rows, task: str | None = None) -> PartitionGroups:
    """Returns the failed instances by task, class and message of the exception, those of one task if it is given."""
    groups: dict[tuple[str, str, str], _Group] = {}
    for examined, (key, row) in enumerate(rows.scan(FAILURES)):
        if examined >= MAX_EXAMINED:
            return PartitionGroups(_views(groups), has_more=True)
        uid, own_task, _ = parse_failure_key(key)
        if task is not None and own_task != task:
            continue
        failure = decode_failure(row)
        since, name = failure.since, (own_task, failure.exception, failure.message)
        group = groups.get(name)
        if group is None:
            groups[name] = _Group(1, 1, since, since, uid)
            continue
        group.instances += 1
        group.sessions += group.last != uid
        group.oldest, group.newest, group.last = min(group.oldest, since), max(group.newest, since), uid
    return PartitionGroups(_views(groups))


def _views(groups: dict[tuple[str, str, str], _Group]) -> list[FailureGroup]:
    return [
        FailureGroup(
            task=task,
            exception=exception,
            message=message,
            instances=group.instances,
            sessions=group.sessions,
            oldest=group.oldest,
            newest=group.newest,
            example=group.last.decode(),
        )
        for (task, exception, message), group in groups.items()
    ]
