"""Drivers apply events to sessions: the core over rows in memory, or anything that behaves like it."""

from __future__ import annotations

from collections import defaultdict
from typing import Protocol

from triggers.core.commands import Decision
from triggers.core.engine import apply
from triggers.core.events import Event
from triggers.core.state.plans import Plans
from triggers.core.state.rows import MemoryRows
from triggers.core.state.session import Session
from triggers.core.view import SessionView, view_session


class HistoryDriver(Protocol):
    """Applies events one by one and returns views of sessions. `verify` and other analyses run on it."""

    def apply(self, uid: str, event: Event) -> Decision:
        """Applies the event; the driver may set its `position` and `time`. Raises the engine's error if it refuses."""

    def view(self, uid: str) -> SessionView:
        """Returns the session after all events that were applied."""


class MemoryDriver:
    """The core in memory. Every event writes its session to rows, and the next one reads it from them."""

    def __init__(self) -> None:
        self._plans = Plans()
        self._rows: defaultdict[str, MemoryRows] = defaultdict(MemoryRows)

    def apply(self, uid: str, event: Event) -> Decision:
        session = self._session(uid)
        decision = apply(session, event)
        self._rows[uid].write(session.changes())
        return decision

    def view(self, uid: str) -> SessionView:
        return view_session(self._session(uid))

    def _session(self, uid: str) -> Session:
        return Session(uid, self._rows[uid], self._plans)
