"""The deletion of a session, by an event or because no event came for its `sessionTtl`.

A deleted session leaves a *grave* for seven days: a header with almost nothing in it. While the grave exists, late
results of the old session's tasks are stale, and a new session with the same UID numbers its attempts beyond all that
were ever issued, so that no result can be applied to the wrong attempt. That number is derived from the position of the
deletion. The deletion is the first event in the new session's index, so folding the indexed events alone leads to the
same attempts.
"""

from __future__ import annotations

from typing import Final

from triggers.core.commands import Outcome, SetTimer
from triggers.core.decision import Decision
from triggers.core.events import DeletionRequested, Event, SessionEvent, TaskEvent, TimerFired
from triggers.core.state.header import Header
from triggers.core.state.instances import load_instance
from triggers.core.state.rows import TIMER_ROW, header_key, timer_key
from triggers.core.state.session import Session
from triggers.core.timer_rows import stop_timers
from triggers.errors import BeingDeleted

ROWS_AT_ONCE: Final = 256
"""Maximum number of rows that one event deletes. A timer continues with the rest."""
GRAVE_MS: Final = 7 * 86_400_000
"""Lifetime of a grave."""
_NEVER_ISSUED: Final = 1_000_000
"""An attempt number above those that `timeouts` allow."""
_POSITIONS: Final = 2_000_000_000
"""Modulus of the positions, because an attempt must fit into 31 bits. Positions this far apart may share a number."""


def attempts_before(position: int) -> int:
    """Returns the number beyond which the attempts of a session count after its deletion at this position."""
    return _NEVER_ISSUED + position % _POSITIONS


def is_after_deletion(attempt: int) -> bool:
    """Returns whether an attempt belongs to a session that began again after a deletion."""
    return attempt > _NEVER_ISSUED


def delete_session(session: Session, event: DeletionRequested) -> Decision:
    """Deletes the session, even while tasks run. A session that never existed leaves a grave as well."""
    return _begin_deletion(session, event)


def decide_for_deleted(session: Session, event: Event) -> Decision | None:
    """Returns the decision about an event of a deleted session, or None if it is decided as for a new session.

    Raises BeingDeleted if the event would start a new session while rows of the old one remain.
    """
    if isinstance(event, TimerFired) and not event.instance:
        return None
    if isinstance(event, TaskEvent | TimerFired | DeletionRequested):
        return Decision(outcome=Outcome.STALE)
    if session.header.sweeping:
        raise BeingDeleted(f"session {session.uid!r} is being deleted; send the event again later")
    return None


def begin_again(session: Session) -> None:
    """Starts a new session under this UID: if it has a grave, removes the grave's timer."""
    if session.header.deleted:
        _stop_timer(session)
        session.header.deleted, session.clock = False, session.recorded


def handle_session_timer(session: Session, event: TimerFired) -> Decision:
    """Handles the session's own timer: deletes an idle session or the next rows, or removes an expired grave."""
    header = session.header
    if not session.exists and not header.deleted:
        return _begin_deletion(session, event)
    if not event.due or event.due != header.wake:
        return Decision(outcome=Outcome.STALE)
    if header.deleted:
        return _delete_some_rows(session, event) if header.sweeping else _remove_grave(session)
    return _check_idle_time(session, event)


def keep_alive(session: Session, event: SessionEvent, decision: Decision) -> None:
    """Records that the session is not idle, and sets its timer if it has none or a later one.

    `apply` calls it for every event of a session that has a `sessionTtl`.
    """
    if isinstance(event, TimerFired) and not event.instance:
        return
    header = session.header
    header.last = event.recorded or event.time
    due = header.last + session.plan.limits.session_ttl
    if not header.wake or due < header.wake:
        decision.commands.append(_set_timer(session, due))


def _check_idle_time(session: Session, event: TimerFired) -> Decision:
    """Deletes the session if it is idle. Otherwise sets the timer again, because events do not move it."""
    ttl = session.plan.limits.session_ttl
    due = session.header.last + ttl
    if ttl and due <= event.due:
        return _begin_deletion(session, event)
    decision = Decision(outcome=Outcome.UNUSED)
    if ttl:
        decision.commands.append(_set_timer(session, due))
    else:
        _stop_timer(session)
    return decision


def _begin_deletion(session: Session, event: SessionEvent) -> Decision:
    _stop_timer(session)
    past = attempts_before(event.position)
    session.reopen(Header(deleted=True, past_attempts=past, tail=[event.position], events=1))
    return _delete_some_rows(session, event)


def _delete_some_rows(session: Session, event: SessionEvent) -> Decision:
    rows = session.rows.first(ROWS_AT_ONCE + 1)
    for suffix, row in rows[:ROWS_AT_ONCE]:
        if suffix[:1] == b"i":
            removed = load_instance(suffix, row)
            stop_timers(session, removed)
            session.record_removal(removed)
        session.rows.put(suffix, None)
    session.header.sweeping = len(rows) > ROWS_AT_ONCE
    now = max(event.recorded or event.time, session.header.wake)
    due = now + (1 if session.header.sweeping else GRAVE_MS)
    return Decision(outcome=Outcome.DELETED, commands=[_set_timer(session, due)])


def _remove_grave(session: Session) -> Decision:
    _stop_timer(session)
    session.reopen(Header())
    session.write_shared(header_key(session.uid), None)
    return Decision(outcome=Outcome.DELETED)


def _set_timer(session: Session, due: int) -> SetTimer:
    _stop_timer(session)
    session.header.wake = due
    session.write_shared(timer_key(due, session.uid, "", 0), TIMER_ROW)
    session.mark_header_changed()
    return SetTimer(session=session.uid, instance="", attempt=0, due=due)


def _stop_timer(session: Session) -> None:
    if session.header.wake:
        session.write_shared(timer_key(session.header.wake, session.uid, "", 0), None)
        session.header.wake = 0
