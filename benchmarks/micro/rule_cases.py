"""The rules of edition 2 whose cost is compared with that of a plain rule, and the events that are measured.

All cases have the same triggers and kwargs, so that only the rules differ. Each measured event has a batch of its own,
so its rows are read and written, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import msgspec

from benchmarks.micro.stored_session import PLANS, UID, StoredSession, whole_step
from triggers.agent.turns.overlay import Overlay
from triggers.core.engine import apply
from triggers.core.events import ConfigurationUpdated, Event, TimerFired, TriggerFired
from triggers.core.state.rows import MemoryRows, due_timers
from triggers.core.state.session import Session

PLAIN_1 = "plain, edition 1"
PLAIN = "plain"
PAGES = 5
"""Number of pages before the measured event, if a case needs none in particular."""
LONG_PAGES = 5000
"""Number of pages before the measured event in a long session."""

_KWARGS_BYTES = 200
_MEMBERS = 10
"""Events that one instance takes in the cases with `count`."""
_WAITING = 5000
_OTHERS = 200
_NEVER = 1 << 60
"""A time after all timers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A rule, what happens in a session before, and which events are measured."""

    rule: Mapping[str, object]
    edition: int = 2
    subject: bool = True
    """True if `subject` is fired at the beginning. Otherwise every instance waits for it."""
    others: int = 0
    """Number of rules that ignore the events."""
    pages: int | None = None
    """Number of pages before the measured events, or None if it does not matter."""
    events: int = 1
    """Number of measured events of a session, whose mean counts."""
    event: Callable[[StoredSession], Event] | None = None
    """Makes the measured event, which is a page by default."""

    def configuration(self) -> bytes:
        """Returns the configuration of a session."""
        rules: dict[str, object] = {"t": {**self.rule, "run": "app.tasks.Run"}}
        rules |= {f"t_other{n}": {"after": [f"other{n}"], "run": "app.tasks.Other"} for n in range(self.others)}
        return msgspec.json.encode(rules | ({"$edition": 2} if self.edition == 2 else {}))


def page(number: int) -> Event:
    """Returns a page whose kwargs have 200 bytes."""
    start = b'{"page":%d,"paid":false,"answer":"' % number
    return TriggerFired(trigger="page", kwargs=start + b"x" * (_KWARGS_BYTES - len(start) - 2) + b'"}')


def _paid(_: StoredSession) -> Event:
    return TriggerFired(trigger="paid", kwargs=b'{"amount":12}')


def _first_timer(stored: StoredSession) -> Event:
    timer = next(due_timers(stored.rows, _NEVER))
    return TimerFired(instance=timer.instance, attempt=timer.attempt, due=timer.due, kind=timer.kind, time=timer.due)


_PLAIN = {"after": ["subject"], "andEvery": "page"}
_ABSENCE = {"after": ["subject", "page"], "unless": ["paid"], "delay": "15m"}
_FILTERED = {"after": ["subject"], "andEvery": {"trigger": "page", "when": "kwargs.page >= 0"}}


def _counted(**keys: object) -> Mapping[str, object]:
    return {"after": ["subject"], "andEvery": {"trigger": "page", "count": _MEMBERS, **keys}}


CASES: Mapping[str, Case] = {
    PLAIN_1: Case(rule=_PLAIN, edition=1),
    PLAIN: Case(rule=_PLAIN),
    "any": Case(rule={"after": [{"any": ["subject", "import"]}], "andEvery": "page"}),
    "within": Case(rule=_PLAIN | {"within": "1h"}),
    "when, one comparison": Case(rule=_FILTERED),
    "count": Case(rule=_counted(), events=_MEMBERS),
    "count and distinct": Case(rule=_counted(distinct="kwargs.page"), events=_MEMBERS),
    "delay: timer set": Case(rule=_PLAIN | {"delay": "15m"}),
    "delay: timer due": Case(rule=_ABSENCE, pages=1, event=_first_timer),
    "delay: timer unset by unless": Case(rule=_ABSENCE, pages=1, event=_paid),
    "200 rules": Case(rule=_PLAIN, others=_OTHERS),
    "5,000 waiting, edition 1": Case(rule=_PLAIN, edition=1, subject=False, pages=_WAITING),
    "5,000 waiting": Case(rule=_PLAIN, subject=False, pages=_WAITING),
    "5,000 waiting, when": Case(rule=_FILTERED, subject=False, pages=_WAITING),
}


@cache
def stored_case(name: str, pages: int = PAGES) -> StoredSession:
    """Makes a stored session of a case, by applying what happens before the measured events."""
    case, rows = CASES[name], MemoryRows()
    session = Session(UID, rows, PLANS)
    position = 0
    for position, event in enumerate(_opening(case, pages), start=1):
        apply(session, msgspec.structs.replace(event, position=position, time=position))
        rows.write(session.changes())
    return StoredSession(rows, position + 1)


def _opening(case: Case, pages: int) -> Iterator[Event]:
    yield ConfigurationUpdated(configuration=case.configuration())
    if case.subject:
        yield TriggerFired(trigger="subject", kwargs=b'{"subject":42}')
    yield from map(page, range(pages if case.pages is None else case.pages))


def measured_events(name: str, stored: StoredSession) -> Sequence[Event]:
    """Returns the events of one session that are measured, in their order."""
    case, first = CASES[name], stored.position
    events = [page(first + n) if case.event is None else case.event(stored) for n in range(case.events)]
    return [
        msgspec.structs.replace(event, position=first + n, time=event.time or first + n)
        for n, event in enumerate(events)
    ]


def run_events(session: Session, rows: Overlay, events: Sequence[Event]) -> None:
    """Processes events, each in a batch of its own: applies it, takes its rows and encodes its commands."""
    for event in events:
        whole_step(session, rows, event)
