"""`StatusTable`: the counts of instances as a table with a row for each task and a column for each status."""

from __future__ import annotations

from collections import Counter
from typing import Final, NamedTuple

from triggers.queries import StatusCounts

_FIRST: Final = ("unstarted", "delayed", "scheduled", "running", "finished", "failed")
"""Statuses whose columns come first, in the order of an instance's life."""


class StatusTable(NamedTuple):
    """How many instances of each task have which status."""

    statuses: list[str]
    rows: list[tuple[str, list[int]]]
    """Each task with a number for each status."""
    totals: Counter[str]
    missing: list[int]
    """Partitions that the numbers lack."""
    counting: list[int]
    """Partitions whose older sessions are still being counted."""


def status_table(found: StatusCounts) -> StatusTable:
    """Return the counts as a table with a row for each task and a column for each status."""
    known = {each.status for each in found.counts}
    statuses = [*(status for status in _FIRST if status in known), *sorted(known.difference(_FIRST))]
    numbers = {(each.task, each.status): each.instances for each in found.counts}
    tasks = dict.fromkeys(each.task for each in found.counts)
    totals: Counter[str] = Counter()
    for each in found.counts:
        totals[each.status] += each.instances
    return StatusTable(
        statuses,
        [(task, [numbers.get((task, status), 0) for status in statuses]) for task in tasks],
        totals,
        [each.partition for each in found.missing],
        found.counting,
    )
