"""Drivers apply events to sessions: the core over rows in memory, or anything that behaves like it."""

from __future__ import annotations

from collections import defaultdict
from typing import Protocol

from triggers.core.decision import Decision
from triggers.core.engine import apply
from triggers.core.events import Event, RulesPublished
from triggers.core.state.plans import Plans
from triggers.core.state.rows import MemoryRows
from triggers.core.state.session import Session
from triggers.core.view import SessionView, view_session


class HistoryDriver(Protocol):
    """Applies events one by one and returns views of sessions. `verify` and other analyses run on it."""

    def apply(self, uid: str, event: Event) -> Decision:
        """Applies the event; the driver may set its `position` and `time`. Raises the engine's error if it refuses."""

    def publish(self, rules: RulesPublished) -> None:
        """Publishes a version of rules, for all sessions. Raises CallError."""

    def view(self, uid: str) -> SessionView:
        """Returns the session after all events that were applied; an empty one if there were none."""


class MemoryDriver:
    """The core in memory. Every event writes its session to rows, and the next one reads it from them."""

    def __init__(self) -> None:
        self._plans = Plans()
        self._published = MemoryRows()
        """Rows of published rules, which every session's rows contain."""
        self._rows: defaultdict[str, MemoryRows] = defaultdict(lambda: MemoryRows(self._published))

    def apply(self, uid: str, event: Event) -> Decision:
        session = self._session(uid)
        decision = apply(session, event)
        self._rows[uid].write(session.changes())
        return decision

    def publish(self, rules: RulesPublished) -> None:
        changes = self._plans.publish(rules, self._published)
        for rows in (self._published, *self._rows.values()):
            rows.write(changes)

    def view(self, uid: str) -> SessionView:
        return view_session(self._session(uid))

    def _session(self, uid: str) -> Session:
        return Session(uid, self._rows[uid], self._plans)
