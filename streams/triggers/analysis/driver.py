"""What recorded histories are replayed through: the core over rows in memory, or anything that behaves like it."""

from __future__ import annotations

from collections import defaultdict
from typing import Protocol

from triggers.core.commands import Decision
from triggers.core.config import Plans
from triggers.core.engine import apply
from triggers.core.events import Event
from triggers.core.rows import MemoryRows
from triggers.core.session import Session
from triggers.core.view import SessionView, view


class HistoryDriver(Protocol):
    """Applies events one after the other and shows sessions."""

    def apply(self, uid: str, event: Event) -> Decision:
        """Apply the event; its `position` and `time` are the driver's to set. Raises what the engine refuses with."""

    def view(self, uid: str) -> SessionView:
        """The session after everything that was applied."""


class MemoryDriver:
    """The core, every session written to rows and read again at each step."""

    def __init__(self) -> None:
        self._plans = Plans()
        self._rows: defaultdict[str, MemoryRows] = defaultdict(MemoryRows)

    def apply(self, uid: str, event: Event) -> Decision:
        """See `HistoryDriver`."""
        session = self._session(uid)
        decision = apply(session, event)
        self._rows[uid].write(session.changes())
        return decision

    def view(self, uid: str) -> SessionView:
        """See `HistoryDriver`."""
        return view(self._session(uid))

    def _session(self, uid: str) -> Session:
        return Session(uid, self._rows[uid], self._plans)
