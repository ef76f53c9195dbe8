"""Moves live sessions of an embedded storage into the stream: one import event each, compared afterwards.

Nothing is deleted in the old storage. Moving a session twice changes nothing, so an interrupted move is just run again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import StrEnum
from typing import Final, Protocol

from msgspec import Struct, structs

from triggers.client import KafkaPublisher, SessionReader
from triggers.client.session_events import SessionEvents
from triggers.codec import check_event
from triggers.core.config import Plans
from triggers.core.engine import apply
from triggers.core.events import SessionImported
from triggers.core.rows import MemoryRows
from triggers.core.session import Session
from triggers.core.statuses import Status
from triggers.core.view import SessionView, state_of, view
from triggers.errors import CallError, NotFound, SessionNotFound
from triggers.settings import Settings

_IN_FLIGHT: Final = frozenset({Status.SCHEDULED, Status.RUNNING})


class Result(StrEnum):
    """What became of a session, or would."""

    MOVABLE = "would be moved"
    MOVED = "moved"
    THERE = "there already"
    GONE_ON = "there already, and has gone on"
    DIFFERS = "differs"
    """The stream has another session of that UID, or another state of it."""
    IN_FLIGHT = "in flight"
    """Tasks are scheduled or running; their results would go to the old storage."""
    REFUSED = "refused"
    MISSING = "missing"


DONE: Final = frozenset({Result.MOVABLE, Result.MOVED, Result.THERE, Result.GONE_ON})
"""Nothing is left to do, or (in a dry run) nothing stands in the way."""


class Moved(Struct, frozen=True, kw_only=True):
    """One line of the report."""

    session: str
    result: Result
    instances: int = 0
    unresolved: int = 0
    detail: str = ""


class Readable(Protocol):
    """A storage of one session, as far as moving needs it."""

    def read(self) -> SessionView:
        """The session. Raises SessionNotFound."""


class Migration:
    """Moves sessions, one at a time."""

    def __init__(self, settings: Settings, open_session: Callable[[str], Readable], *, reissue: bool = False) -> None:
        """`open_session`: the old storage of a UID. `reissue`: run again what is in flight instead of refusing it."""
        self._settings = settings
        self._open = open_session
        self._reissue = reissue
        self._publisher = KafkaPublisher(settings, source="migrate")
        self._reader = SessionReader(settings)
        self._events = SessionEvents(settings, self._reader)

    def move(self, uid: str, *, dry_run: bool) -> Moved:
        """Move a session, or say what would come of it.

        Blocks. Raises TryAgain when Kafka or the worker does not answer: run it again.
        """
        try:
            found = self._open(uid).read()
        except SessionNotFound:
            return Moved(session=uid, result=Result.MISSING, detail="the old storage has no such session")
        except (CallError, NotFound, ValueError, LookupError, TypeError) as error:
            return Moved(session=uid, result=Result.REFUSED, detail=f"it cannot be read: {error}")
        result, detail = self._move(found, dry_run)
        unresolved = len(found.unresolved_instances)
        return Moved(session=uid, result=result, instances=len(found.instances), unresolved=unresolved, detail=detail)

    def _move(self, found: SessionView, dry_run: bool) -> tuple[Result, str]:
        in_flight = [instance.name for instance in found.instances if instance.status in _IN_FLIGHT]
        if in_flight and not self._reissue:
            return (
                Result.IN_FLIGHT,
                f"{', '.join(in_flight[:3])}: wait for the results, or --reissue them",
            )
        event = self._event(found)
        try:
            check_event(event, self._settings.max_payload_bytes)
            expected = _applied(found.uid, event)
        except (CallError, NotFound) as error:
            return Result.REFUSED, str(error)
        if there := self._there(found.uid):
            return self._compared(there, event)
        if dry_run:
            return Result.MOVABLE, ""
        written = self._publisher.publish(found.uid, event)
        there = self._reader.read(found.uid, written)
        return (Result.MOVED, "") if _same(there, expected) else (Result.DIFFERS, _difference(there, expected))

    def _compared(self, there: SessionView, event: SessionImported) -> tuple[Result, str]:
        first = self._events.of(there.uid)[0]
        if not isinstance(first, SessionImported):
            return Result.DIFFERS, "the stream has a session of this UID that began there"
        if first.state != event.state:
            return Result.DIFFERS, "it was moved before, and has changed in the old storage since"
        followed = there.events - 1
        return (Result.GONE_ON, f"{followed} events have followed") if followed else (Result.THERE, "")

    def _event(self, found: SessionView) -> SessionImported:
        now = time.time_ns() // 1_000_000
        return SessionImported(id=f"import/{found.uid}", time=now, state=state_of(found), reissue=self._reissue)

    def _there(self, uid: str) -> SessionView | None:
        try:
            return self._reader.read(uid)
        except SessionNotFound:
            return None


def _applied(uid: str, event: SessionImported) -> SessionView:
    """What the import will lead to, decided here first: what a worker would refuse is refused before it is written."""
    rows = MemoryRows()
    session = Session(uid, rows, Plans())
    apply(session, event)
    rows.write(session.changes())
    return view(session)


def _same(there: SessionView, expected: SessionView) -> bool:
    return _essence(there) == _essence(expected)


def _essence(found: SessionView) -> SessionView:
    """Without what depends on when it was moved."""
    instances = [structs.replace(i, modified=0, timestamps={}, deadline=None) for i in found.instances]
    return structs.replace(found, events=0, modified=0, instances=instances)


def _difference(there: SessionView, expected: SessionView) -> str:
    one, other = _essence(there), _essence(expected)
    fields = [name for name in one.__struct_fields__ if getattr(one, name) != getattr(other, name)]
    return f"moved, but its {', '.join(fields)} are not the same in the stream"
