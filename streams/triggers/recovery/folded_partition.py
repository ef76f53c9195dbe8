"""One partition whose events are folded through the core, without a worker."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from triggers.agent.overlay import Overlay
from triggers.agent.partition_index import IndexUpdate
from triggers.core.decision import Decision
from triggers.core.engine import apply
from triggers.core.events import Event, RulesPublished
from triggers.core.state.plans import Plans
from triggers.core.state.rows import Changes
from triggers.core.state.session import Session
from triggers.queries.index_rows import REACH, Reach, encode_row
from triggers.table.partition_rows import OFFSET_KEY, STAMP_KEY, PartitionRows

_WRITTEN_TOGETHER: Final = 2_000
"""Number of changed rows that are kept in memory before they are written to the file."""


class FoldedPartition:
    """The rows to which the events of a partition lead: those that its workers have written, byte for byte."""

    def __init__(self, rows: PartitionRows, plans: Plans) -> None:
        """`rows` are empty and belong to this object only."""
        self._file = rows
        self._plans = plans
        self._changes: Changes = {}
        self._rows = Overlay(rows)
        self._rows.replace_changes(self._changes)

    def begin(self) -> None:
        """Writes the row that the first record of a partition writes, even if it changes nothing."""
        if self._rows.get(REACH) is None:
            self._write({REACH: encode_row(Reach(until=None))})

    def load_session(self, uid: str) -> Session:
        """Returns a session as it is after the events so far."""
        return Session(uid, self._rows, self._plans)

    def publish(self, event: RulesPublished) -> None:
        """Adds published rules. Raises CallError and InvalidConfiguration; nothing is changed then."""
        self._write(self._plans.publish(event, self._rows))

    def apply(self, uid: str, event: Event) -> tuple[Session, Decision]:
        """Applies an event. Returns the session after it, and the decision.

        Raises CallError and NotFound, as a worker refuses the event; nothing is changed then.
        """
        session = self.load_session(uid)
        decision = apply(session, event)
        changes = session.changes()
        index = IndexUpdate()
        index.add(uid, session.moved)
        self._write(changes | index.changes(self._rows, {}))
        return session, decision

    def rows(self) -> Iterator[tuple[bytes, bytes]]:
        """Yields all rows in the order of their keys. No event may be applied meanwhile."""
        self._write_file()
        return stored_rows(self._file)

    def _write(self, changes: Changes) -> None:
        if not changes:
            return
        self._rows.write(changes)
        if len(self._changes) >= _WRITTEN_TOGETHER:
            self._write_file()

    def _write_file(self) -> None:
        self._file.write(self._changes, None)
        self._changes = {}
        self._rows.replace_changes(self._changes)


def stored_rows(file: PartitionRows) -> Iterator[tuple[bytes, bytes]]:
    """Yields the rows of a file in the order of their keys, without those that describe the file itself."""
    return ((key, row) for key, row in file.scan(b"") if key not in {OFFSET_KEY, STAMP_KEY})
