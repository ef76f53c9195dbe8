"""The end of a session: by an event, or because its `sessionTtl` has passed without one.

A deleted session leaves a *grave* for seven days, its header with next to nothing in it. As long as that is there, late
results of its tasks are stale, and a new session of the same UID numbers its attempts beyond all that were ever issued:
no result can be taken for another's. The number comes from the position of the deletion, which is the first event in
the new session's index, so that folding the events of the index alone leads to the same attempts.
"""

from __future__ import annotations

from typing import Final

from triggers.core.commands import Decision, Outcome, SetTimer
from triggers.core.events import DeletionRequested, Event, SessionEvent, TaskEvent, TimerFired
from triggers.core.header import Header
from triggers.core.instance import decode_instance
from triggers.core.lifecycle import stop_timer
from triggers.core.rows import header_key, parse_instance_suffix, timer_key
from triggers.core.session import Session
from triggers.core.timers import TIMER_ROW
from triggers.errors import BeingDeleted

ROWS_AT_ONCE: Final = 256
"""Rows that one event deletes; a timer continues."""
GRAVE_MS: Final = 7 * 86_400_000
_NEVER_ISSUED: Final = 1_000_000
"""More attempts than an instance can have (`timeouts`)."""
_POSITIONS: Final = 2_000_000_000
"""An attempt must fit into 31 bits; as far apart as this, positions may share one."""


def delete(session: Session, event: DeletionRequested) -> Decision:
    """Delete the session, whatever runs. One that was never there leaves a grave as well."""
    return _bury(session, event)


def after_the_end(session: Session, event: Event) -> Decision | None:
    """What an event does to a deleted session; None: the same as to one that was never there.

    Raises BeingDeleted for what would begin a new one while rows of the old one are there.
    """
    if isinstance(event, TimerFired) and not event.instance:
        return None
    if isinstance(event, TaskEvent | TimerFired | DeletionRequested):
        return Decision(outcome=Outcome.STALE)
    if session.header.sweeping:
        raise BeingDeleted(f"session {session.uid!r} is being deleted; send the event again a moment later")
    return None


def begin(session: Session) -> None:
    """A session that is not there begins: whoever was deleted before may be forgotten."""
    if session.header.deleted:
        _stop_timer(session)
        session.header.deleted = False


def wake(session: Session, event: TimerFired) -> Decision:
    """The session's own timer: it has been idle, has rows left to delete, or its grave may go."""
    header = session.header
    if not session.exists and not header.deleted:
        return _bury(session, event)
    if not event.due or event.due != header.wake:
        return Decision(outcome=Outcome.STALE)
    if header.deleted:
        return _sweep(session, event) if header.sweeping else _forget(session)
    return _look_at_the_time(session, event)


def keep_alive(session: Session, event: SessionEvent, decision: Decision) -> None:
    """The session is not idle. Called for every event of a session with a `sessionTtl`; seldom does anything."""
    if isinstance(event, TimerFired) and not event.instance:
        return
    header = session.header
    header.last = event.recorded or event.time
    due = header.last + session.plan.limits.session_ttl
    if not header.wake or due < header.wake:
        decision.commands.append(_set_timer(session, due))


def _look_at_the_time(session: Session, event: TimerFired) -> Decision:
    """Timers are not moved at every event: one that finds the session alive waits for the rest of the time."""
    ttl = session.plan.limits.session_ttl
    due = session.header.last + ttl
    if ttl and due <= event.due:
        return _bury(session, event)
    decision = Decision(outcome=Outcome.UNUSED)
    if ttl:
        decision.commands.append(_set_timer(session, due))
    else:
        _stop_timer(session)
    return decision


def _bury(session: Session, event: SessionEvent) -> Decision:
    _stop_timer(session)
    past = _NEVER_ISSUED + event.position % _POSITIONS
    session.reopen(Header(deleted=True, past_attempts=past, tail=[event.position], events=1))
    return _sweep(session, event)


def _sweep(session: Session, event: SessionEvent) -> Decision:
    found = session.own.first(ROWS_AT_ONCE + 1)
    for suffix, row in found[:ROWS_AT_ONCE]:
        if suffix[:1] == b"i":
            task, number = parse_instance_suffix(suffix)
            stop_timer(session, task, number, decode_instance(row))
        session.own.put(suffix, None)
    session.header.sweeping = len(found) > ROWS_AT_ONCE
    now = max(event.recorded or event.time, session.header.wake)
    due = now + (1 if session.header.sweeping else GRAVE_MS)
    return Decision(outcome=Outcome.DELETED, commands=[_set_timer(session, due)])


def _forget(session: Session) -> Decision:
    _stop_timer(session)
    session.reopen(Header())
    session.write_shared(header_key(session.uid), None)
    return Decision(outcome=Outcome.DELETED)


def _set_timer(session: Session, due: int) -> SetTimer:
    _stop_timer(session)
    session.header.wake = due
    session.write_shared(timer_key(due, session.uid, "", 0), TIMER_ROW)
    session.touch()
    return SetTimer(session=session.uid, instance="", attempt=0, due=due)


def _stop_timer(session: Session) -> None:
    if session.header.wake:
        session.write_shared(timer_key(session.header.wake, session.uid, "", 0), None)
        session.header.wake = 0
