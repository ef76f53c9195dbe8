"""Adds the sessions that an earlier release has stored to the index of their partition, some with each batch.

A partition whose index was never begun has its sessions counted in the order of their UIDs. How far that has come is a
row of the index, in the same transaction. Until a session is reached, its changes are not counted.

That row is written with the first records of a partition, even if they change nothing. So the changelog of a partition
with applied events is never empty, and a worker notices if it was lost.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from triggers.agent.turns.overlay import Overlay, Overlays
from triggers.agent.turns.partition_index import IndexUpdate
from triggers.core.state.instances import load_instance
from triggers.core.state.loaded_instance import StatusMove
from triggers.core.state.rows import HEADERS, Changes, Rows, session_prefix
from triggers.queries.index_rows import REACH, Reach, decode_reach, encode_row

MAX_ROWS: Final = 1000
"""Number of rows of a partition after which the rest is left to the next batch, so that events do not wait long."""


class IndexStart(NamedTuple):
    """The index of a partition before a turn."""

    changes: Changes
    """Rows that add older sessions to the index."""
    until: bytes | None
    """The last session that is counted, or None if all are."""


_COMPLETE: Final = IndexStart({}, None)


class IndexReach:
    """Knows how far the index of each partition reaches, and extends it."""

    def __init__(self, rows: Overlays) -> None:
        self._rows = rows
        self._complete: set[int] = set()
        self._empty: set[int] = set()
        """Partitions without sessions, whose index begins with their first record."""

    def forget(self, partitions: frozenset[int] | None = None) -> None:
        """Forgets how far the index reaches, because a transaction was aborted or partitions were revoked."""
        gone = self._complete | self._empty if partitions is None else partitions
        self._complete -= gone
        self._empty -= gone

    def extend(self, partition: int, *, is_idle: bool) -> IndexStart:
        """Adds sessions to the index, and returns the changed rows. `is_idle` says that the batch has no records."""
        if partition in self._complete or (is_idle and partition in self._empty):
            return _COMPLETE
        rows = self._rows.for_partition(partition)
        stored = rows.get(REACH)
        reach = Reach(until=b"") if stored is None else decode_reach(stored)
        if reach.until is None:
            self._complete.add(partition)
            return _COMPLETE
        changes, until = _add_sessions(rows, reach.until)
        if until is None:
            if is_idle and stored is None and not changes:
                self._empty.add(partition)
                return _COMPLETE
            self._complete.add(partition)
        return IndexStart(changes | {REACH: encode_row(Reach(until=until))}, until)


def _add_sessions(rows: Overlay, after: bytes) -> tuple[Changes, bytes | None]:
    """Counts sessions after the UID `after`. Returns the rows to write and the last session, or None at the end."""
    update, examined = IndexUpdate(), 0
    for key, _ in rows.scan(HEADERS, HEADERS + after):
        uid = key[len(HEADERS) :]
        if uid == after:
            continue
        if examined >= MAX_ROWS:
            return update.changes(rows, {}), after
        moves = _instances_of(rows, uid)
        update.add(uid.decode(), moves)
        examined += 1 + len(moves)
        after = uid
    return update.changes(rows, {}), None


def _instances_of(rows: Rows, uid: bytes) -> list[StatusMove]:
    """Returns the instances of a session as if they were all new."""
    prefix = session_prefix(uid.decode())
    loaded = [load_instance(key[len(prefix) :], row) for key, row in rows.scan(prefix + b"i")]
    return [StatusMove(each.task, each.number, "", each.instance.status, each.instance) for each in loaded]
