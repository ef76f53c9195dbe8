"""Stored sessions of any length, which benchmarks can load repeatedly."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import cycle, islice

import msgspec

from benchmarks.workload import RULES, opening_events, page_events
from triggers.agent.turns.overlay import Overlay
from triggers.codec import encode_command
from triggers.core.commands import RunTask
from triggers.core.decision import Decision
from triggers.core.engine import apply
from triggers.core.events import ConfigurationUpdated, Event
from triggers.core.state.plans import Plans
from triggers.core.state.rows import MemoryRows, Rows
from triggers.core.state.session import Session

UID = "questionnaire-0-000000"

PLANS = Plans()


@dataclass(frozen=True, slots=True)
class StoredSession:
    """The rows of an open session with a number of pages. `position` is that of the next event."""

    rows: MemoryRows
    position: int

    def load(self) -> tuple[Session, Overlay]:
        """Returns the session over a copy of the rows."""
        rows = Overlay(self.rows)
        return Session(UID, rows, PLANS), rows

    def next_events(self, count: int) -> list[Event]:
        """Returns different pages, each of which can come next."""
        return [msgspec.structs.replace(page, position=self.position, time=self.position) for page in _pages(count)]


@cache
def stored_session(pages: int, ignoring_rules: int = 0) -> StoredSession:
    """Makes a stored session by applying the events of its pages."""
    rows = MemoryRows()
    session = Session(UID, rows, PLANS)
    events = [*_opening(ignoring_rules), *_pages(pages)]
    for position, event in enumerate(events):
        apply(session, msgspec.structs.replace(event, position=position, time=position))
        rows.write(session.changes())
    return StoredSession(rows, len(events))


def _opening(ignoring_rules: int) -> Iterator[Event]:
    """Returns the events that open a session, with additional rules that ignore the pages."""
    _, *rest = opening_events()
    more = {f"t_other{n}": {"after": [f"other{n}"], "run": "app.tasks.Other"} for n in range(ignoring_rules)}
    yield ConfigurationUpdated(configuration=msgspec.json.encode(RULES | more))
    yield from rest


def _pages(count: int) -> Iterator[Event]:
    return islice(cycle(page_events()), count)


def whole_step(session: Session, rows: Overlay, event: Event) -> None:
    """Applies an event to a loaded session, takes its rows and encodes the commands."""
    decision = apply(session, event)
    rows.write(session.changes())
    encode(decision)


def encode(decision: Decision) -> Sequence[bytes]:
    """Encodes the commands of a decision."""
    return [encode_command(command) for command in decision.commands if isinstance(command, RunTask)]


def load(rows: Rows) -> Session:
    """Loads a session from its rows."""
    return Session(UID, rows, PLANS)
