"""One partition whose events are folded through the core, without a worker."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Final

from triggers.agent.turns.partition_index import IndexUpdate
from triggers.core.decision import Decision
from triggers.core.engine import apply
from triggers.core.events import Event, RulesPublished
from triggers.core.state.plans import Plans
from triggers.core.state.rows import Changes
from triggers.core.state.session import Session
from triggers.errors import CallError, NotFound, TooManyCommands
from triggers.queries.index_rows import REACH, Reach, encode_row
from triggers.store.partition_rows import OFFSET_KEY, STAMP_KEY, PartitionRows

_FOLDED_TOGETHER: Final = 2_000
"""Number of events after which the rows of their sessions are encoded and written, as an agent does after a batch."""


class FoldedPartition:
    """The rows to which the events of a partition lead: those that its workers have written, byte for byte."""

    def __init__(self, rows: PartitionRows, plans: Plans, cached_sessions: int = 0) -> None:
        """`rows` are empty and belong to this object only. `cached_sessions` decoded sessions are kept in memory."""
        self._file = rows
        self._plans = plans
        self._cached_sessions = cached_sessions
        self._sessions: dict[str, Session] = {}
        """Decoded sessions, the least recently used first."""
        self._unwritten: dict[str, list[Event]] = {}
        """The events of each session since its rows were written."""
        self._events = 0
        """Number of events in `_unwritten`."""
        self._has_begun = False

    def begin(self) -> None:
        """Writes the row that the first record of a partition writes, even if it changes nothing."""
        if not self._has_begun:
            self._has_begun = True
            self._file.write({REACH: encode_row(Reach(until=None))}, None)

    def load_session(self, uid: str) -> Session:
        """Returns a session as it is after the events so far. The caller may only read it."""
        session = self._sessions.get(uid)
        return Session(uid, self._file, self._plans) if session is None else session

    def publish(self, event: RulesPublished) -> None:
        """Adds published rules. Raises CallError and InvalidConfiguration; nothing is changed then."""
        self._write()
        self._file.write(self._plans.publish(event, self._file), None)
        for session in self._sessions.values():
            session.forget_catalog()

    def apply(self, uid: str, event: Event) -> tuple[Session, Decision]:
        """Applies an event. Returns the session after it, which the caller may only read, and the decision.

        Raises CallError and NotFound, as a worker refuses the event; nothing is changed then.
        """
        session = self._sessions.pop(uid, None)
        if session is None:
            session = Session(uid, self._file, self._plans)
        try:
            decision = apply(session, event)
        except TooManyCommands:  # the session is half changed
            self._sessions[uid] = self._fold_again(uid)
            raise
        except (CallError, NotFound):
            self._sessions[uid] = session  # the core has left it as it was
            raise
        self._sessions[uid] = session
        self._unwritten.setdefault(uid, []).append(event)
        self._events += 1
        if self._events >= _FOLDED_TOGETHER:
            self._write()
        return session, decision

    def rows(self) -> Iterator[tuple[bytes, bytes]]:
        """Yields all rows in the order of their keys. No event may be applied meanwhile."""
        self._write()
        return stored_rows(self._file)

    def _fold_again(self, uid: str) -> Session:
        """Returns the session after the events that it has applied."""
        session = Session(uid, self._file, self._plans)
        for event in self._unwritten.get(uid, ()):
            apply(session, event)
        return session

    def _write(self) -> None:
        """Writes the rows of the sessions that have changed, and then drops sessions that exceed the capacity."""
        changes: Changes = {}
        index = IndexUpdate()
        for uid in self._unwritten:
            session = self._sessions[uid]
            changes.update(session.changes())
            if session.moved:
                index.add(uid, session.moved)
        changes.update(index.changes(self._file, changes))
        self._file.write(changes, None)
        self._unwritten.clear()
        self._events = 0
        for uid in list(islice(self._sessions, max(len(self._sessions) - self._cached_sessions, 0))):
            del self._sessions[uid]


def stored_rows(file: PartitionRows) -> Iterator[tuple[bytes, bytes]]:
    """Yields the rows of a file in the order of their keys, without those that describe the file itself."""
    return ((key, row) for key, row in file.scan(b"") if key not in {OFFSET_KEY, STAMP_KEY})
