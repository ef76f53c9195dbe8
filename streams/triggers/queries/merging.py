"""Joins the answers of the partitions into one."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from triggers.queries.answers import FailureGroup, FoundSession, MissingPartition, Page, StatusCount
from triggers.queries.cursors import encode_cursor
from triggers.queries.partition_search import PartitionPage
from triggers.queries.session_query import SessionQuery

MAX_GROUPS: Final = 1000
"""Maximum number of groups of failures in one answer."""


class Merged(Struct, frozen=True):
    """The sessions of several partitions."""

    sessions: list[FoundSession]
    reached: str | None
    """The UID up to which they have all matching sessions, or None if no sessions are left."""
    examined: int


def merge_pages(pages: Collection[PartitionPage], limit: int) -> Merged:
    """Returns the first `limit` sessions of the partitions, in the order of their UIDs.

    A partition that has examined its share of rows has sessions up to a UID only. No session after the smallest of
    these UIDs is returned, because another partition may have one before it.
    """
    frontier = min((page.reached.encode() for page in pages if page.reached is not None), default=None)
    found = sorted((session for page in pages for session in page.sessions), key=_uid)
    known = found if frontier is None else [session for session in found if _uid(session) <= frontier]
    reached = None if frontier is None else frontier.decode()
    if len(known) > limit:
        known = known[:limit]
        reached = known[-1].uid
    return Merged(known, reached, sum(page.examined for page in pages))


def page_of(query: SessionQuery, merged: Merged, missing: Iterable[MissingPartition]) -> Page:
    """Returns the page for whoever asked."""
    cursor = None if merged.reached is None else encode_cursor(query, merged.reached)
    return Page(sessions=merged.sessions, cursor=cursor, missing=list(missing), examined=merged.examined)


def merge_counts(counts: Iterable[StatusCount]) -> list[StatusCount]:
    """Returns the sums by task and status."""
    sums: Counter[tuple[str, str]] = Counter()
    for each in counts:
        sums[each.task, each.status] += each.instances
    return [StatusCount(task=task, status=status, instances=n) for (task, status), n in sorted(sums.items()) if n]


def merge_groups(groups: Iterable[FailureGroup]) -> tuple[list[FailureGroup], int]:
    """Returns the groups of all partitions, the largest first, and the number of instances that are left out."""
    same: defaultdict[tuple[str, str, str], list[FailureGroup]] = defaultdict(list)
    for each in groups:
        same[each.task, each.exception, each.message].append(each)
    merged = sorted(map(_joined, same.values()), key=lambda group: (-group.instances, group.task, group.message))
    return merged[:MAX_GROUPS], sum(group.instances for group in merged[MAX_GROUPS:])


def missing_partitions(count: int, answered: Collection[int], reasons: Mapping[int, str]) -> list[MissingPartition]:
    """Returns the partitions that nobody answered for, each with the reason."""
    lacking = [partition for partition in range(count) if partition not in answered]
    return [MissingPartition(partition, reasons.get(partition, "no worker owns it")) for partition in lacking]


def _joined(groups: list[FailureGroup]) -> FailureGroup:
    return replace(
        groups[0],
        instances=sum(group.instances for group in groups),
        sessions=sum(group.sessions for group in groups),
        oldest=min(group.oldest for group in groups),
        newest=max(group.newest for group in groups),
    )


def _uid(session: FoundSession) -> bytes:
    return session.uid.encode()
