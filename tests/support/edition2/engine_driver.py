"""Histories of edition 2 through the engine itself: every step on a session that is loaded from its rows anew."""

from __future__ import annotations

from typing import Any

from typing_extensions import override

from triggers.analysis.verify.edition_2_histories import Edition2Replay
from triggers.core.decision import Decision
from triggers.core.engine import apply
from triggers.core.events import Event, RulesPublished
from triggers.core.state.plans import Plans
from triggers.core.state.rows import MemoryRows
from triggers.core.state.session import Session
from triggers.core.view import SessionView, view_session


class Partition:
    """A `HistoryDriver` whose sessions share the rows of one partition, as those of a worker do.

    Those who decide and those who look keep compiled plans, as agents and readers do.
    """

    def __init__(self) -> None:
        self.rows = MemoryRows()
        self.log: list[tuple[str, Event]] = []
        """(session, event) of everything that was not refused; published rules have no session."""
        self.forget_plans()

    def forget_plans(self) -> None:
        """Reads everything from the rows again, as after a restart."""
        self._plans, self._seen_plans = Plans(), Plans()

    def apply(self, uid: str, event: Event) -> Decision:
        session = Session(uid, self.rows, self._plans)
        decision = apply(session, event)
        self.rows.write(session.changes())
        self.log.append((uid, event))
        return decision

    def publish(self, rules: RulesPublished) -> None:
        self.rows.write(self._plans.publish(rules, self.rows))
        self.log.append(("", rules))

    def view(self, uid: str) -> SessionView:
        return view_session(Session(uid, self.rows, self._seen_plans))


class EngineDriver(Edition2Replay):
    """One history on one partition in memory."""

    def __init__(self) -> None:
        self.partition = Partition()
        super().__init__(self.partition)

    @override
    def final(self) -> dict[str, Any]:
        self.partition.forget_plans()
        return super().final()

    @property
    def rows(self) -> MemoryRows:
        return self.partition.rows

    @property
    def log(self) -> list[tuple[str, Event]]:
        return self.partition.log
