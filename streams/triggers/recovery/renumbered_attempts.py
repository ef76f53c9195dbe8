"""Attempts of sessions that began again after a deletion, when their events move to other offsets.

Such a session numbers its attempts from the offset of the deletion (`core.deletion`). In a copied log that offset is
another one, so the numbers in the results and timers of the log must change with it.
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from triggers.core.deletion import attempts_before, is_after_deletion
from triggers.core.events import Event, TaskEvent, TimerFired
from triggers.core.state.session import Session
from triggers.errors import CallError, InstanceNotFound

_NUMBERED: Final = (TaskEvent, TimerFired)  # a union would be built by each call
_STALE = 1
"""An attempt of the first session, which no later session has."""


def counts_from_deletion(event: Event) -> bool:
    """Returns whether an event is about an attempt of a session that began again. Nearly no event is."""
    return isinstance(event, _NUMBERED) and is_after_deletion(event.attempt)


class RenumberedAttempts:
    """Knows from which number each session that began again counted its attempts in the original log."""

    def __init__(self) -> None:
        self._originals: dict[str, int] = {}

    def record_deletion(self, uid: str, original_offset: int | None) -> None:
        """Records the offset of a session's deletion in the original log, or None if it is not known."""
        if original_offset is None:
            self._originals.pop(uid, None)
        else:
            self._originals[uid] = attempts_before(original_offset)

    def renumber(self, session: Session, event: Event) -> Event:
        """Returns the event with the attempt that the session has in the copied log.

        Raises CallError if the numbers show that the offsets of the original log are not those of its first writing.
        """
        if not isinstance(event, _NUMBERED) or not counts_from_deletion(event):
            return event
        issued = _issued_attempts(session, event.instance)
        if session.uid not in self._originals and issued > 0:
            self._originals[session.uid] = event.attempt - issued
        original = self._originals.get(session.uid)
        beyond = 0 if original is None else event.attempt - original
        if beyond > issued > 0:
            raise CallError(
                f"session {session.uid!r} has no attempt {event.attempt}, because its deletion was at another offset:"
                " the topic was written by a mirror, which changes offsets; delete the new topics, and add --mirrored"
            )
        attempt = session.header.past_attempts + beyond if beyond > 0 else _STALE
        return event if attempt == event.attempt else replace(event, attempt=attempt)


def _issued_attempts(session: Session, instance: str) -> int:
    """Returns how many attempts of an instance the session has issued since its deletion, or 0 if it was not deleted.

    In a log that a mirror has written, the first event about an attempt is taken for one about the latest of them.
    """
    past = session.header.past_attempts
    try:
        return session.instances.find(instance).instance.attempt - past if past else 0
    except InstanceNotFound:
        return 0
