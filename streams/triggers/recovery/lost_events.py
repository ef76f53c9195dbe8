"""Continues an installation whose events were lost and whose topic was recreated, while the changelog is intact.

Sessions refer to their events by offset, and number attempts and forwards by them. So the new topic must not use the
offsets of the lost events again.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from triggers.core.state.plans import Plans
from triggers.core.state.rows import HEADERS, Rows
from triggers.core.state.session import Session
from triggers.errors import CallError
from triggers.kafka.group_offsets import write_group_offsets
from triggers.kafka.offset_reservation import remove_records, reserve_offsets
from triggers.kafka.range_reads import watermarks
from triggers.recovery.changelog_rows import read_changelog
from triggers.recovery.fold_files import temporary_rows
from triggers.recovery.installation_checks import check_nobody_works, read_bounds
from triggers.settings import Settings
from triggers.topology import Topology

_MARGIN: Final = 1_000
"""Offsets beyond the last known one, for events that changed no session."""


class Reserved(Struct, frozen=True, kw_only=True):
    """Where a partition of the events continues."""

    partition: int
    sessions: int
    first: int
    """Offset of the first event that is published from now on."""


def reserve_lost_offsets(settings: Settings) -> list[Reserved]:
    """Lets the empty events topic continue after the lost events, and the workers' group with it. Blocks.

    No worker may run, and nothing may be fired meanwhile. Raises CallError if the topic has events.
    """
    names = Topology(settings.namespace)
    check_nobody_works(settings, executors=False)
    bounds = read_bounds(settings, names.events)
    if used := [partition for partition, (_, end) in bounds.items() if end > 0]:
        raise CallError(
            f"{names.events}/{used[0]} has events already: stop everything that fires triggers, save them with"
            " `triggers export`, delete the topic, create it again with `triggers topics create`, repeat the command,"
            " and fire them with `triggers fire --from`"
        )
    if len(read_bounds(settings, names.changelog)) != len(bounds):
        raise CallError(f"{names.events} must have as many partitions as {names.changelog}: create it again")
    reserved = [_find_end(settings, names, partition) for partition in bounds]
    for each in reserved:
        reserve_offsets(settings, names.reservation, names.events, each.partition, each.first)
    ends = {partition: end for partition, (_, end) in watermarks(settings, names.events, list(bounds)).items()}
    remove_records(settings, names.events, ends)
    write_group_offsets(settings, names.agents, names.events, ends)
    return [Reserved(partition=each.partition, sessions=each.sessions, first=ends[each.partition]) for each in reserved]


def _find_end(settings: Settings, names: Topology, partition: int) -> Reserved:
    """Returns an offset that is larger than that of any event that a session of the partition knows."""
    with temporary_rows("stored") as rows:
        read_changelog(settings, names, partition, rows)
        plans = Plans()
        positions = list(_last_positions(rows, plans))
        catalog = plans.load_catalog(rows)
    published = [rules.position for name in catalog.names() for rules in catalog.versions(name)]
    first = max([*positions, *published], default=-1) + 1 + _MARGIN
    return Reserved(partition=partition, sessions=len(positions), first=first)


def _last_positions(rows: Rows, plans: Plans) -> Iterator[int]:
    """Yields the position of the last event of each session."""
    for key, _ in rows.scan(HEADERS):
        session = Session(key[len(HEADERS) :].decode(), rows, plans)
        yield session.header.tail[-1] if session.header.tail else max(session.positions(), default=0)
