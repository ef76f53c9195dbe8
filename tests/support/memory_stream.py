"""A stream in memory: a publisher and a source for `StreamStorage`. An event is applied when it is published."""

from __future__ import annotations

from contextlib import suppress

from msgspec import structs

from triggers.client import Coordinates
from triggers.core.engine import apply
from triggers.core.events import Event
from triggers.core.state.plans import Plans
from triggers.core.state.rows import MemoryRows
from triggers.core.state.session import Session
from triggers.core.view import SessionView, view_session
from triggers.errors import BrokerUnavailable, CallError, NotFound, OwnerUnavailable, SessionNotFound


class MemoryStream:
    """One partition and the worker that owns it. It records what is published and which reads are asked for."""

    def __init__(self, partition: int = 0, next_offset: int = 0) -> None:
        self.partition = partition
        self.next_offset = next_offset
        """Offset of the next event. A test raises it to let other sessions write to the partition."""
        self.published: list[tuple[str, Event]] = []
        """UID and event of all events, in order."""
        self.reads: list[tuple[str, Coordinates | None]] = []
        """UID and `after` of all reads, in order."""
        self.is_down = False
        """True if the broker does not answer."""
        self._sessions: dict[str, MemoryRows] = {}

    def publish(self, uid: str, event: Event) -> Coordinates:
        if self.is_down:
            raise BrokerUnavailable(f"the event of {uid!r} was not acknowledged")
        coordinates = Coordinates(self.partition, self.next_offset)
        self.next_offset += 1
        self.published.append((uid, event))
        rows = self._sessions.setdefault(uid, MemoryRows())
        session = Session(uid, rows, Plans())
        with suppress(CallError, NotFound):  # a worker dead-letters such an event
            apply(session, structs.replace(event, position=coordinates.offset, time=event.time or 1))
            rows.write(session.changes())
        return coordinates

    def read(self, uid: str, after: Coordinates | None = None) -> SessionView:
        self.reads.append((uid, after))
        if after is not None and after.partition == self.partition and after.offset >= self.next_offset:
            raise OwnerUnavailable(f"{after} was not published")
        session = Session(uid, self._sessions.get(uid, MemoryRows()), Plans())
        if not session.exists:
            raise SessionNotFound(f"there is no session {uid!r}")
        return view_session(session)
