"""A session in memory, for tests: the same rules, no Kafka, no worker."""

from __future__ import annotations

import time
from collections.abc import Callable

from msgspec import structs

from triggers.codec import check_event, encode_event, encode_key
from triggers.core.commands import Command
from triggers.core.config import Plans
from triggers.core.engine import apply
from triggers.core.events import Event
from triggers.core.rows import MemoryRows
from triggers.core.session import Session
from triggers.core.view import SessionView, view
from triggers.errors import SessionNotFound
from triggers.settings import Settings


def _milliseconds() -> int:
    return time.time_ns() // 1_000_000


class MemoryStorage:
    """Applies every event at once and collects the commands; a test plays the worker by writing results.

    Unlike a stream, `write` itself raises what the engine refuses: InvalidConfiguration, WrongStatus, TaskNotFound,
    InstanceNotFound.
    """

    def __init__(self, uid: str, now: Callable[[], int] = _milliseconds) -> None:
        """`now`: milliseconds since 1970, for events without a time."""
        encode_key(uid)
        self._uid = uid
        self._now = now
        self._rows = MemoryRows()
        self._plans = Plans()
        self.events: list[Event] = []
        """What has happened, in order."""
        self.commands: list[Command] = []
        """What the outside world was asked to do, in order."""

    @property
    def uid(self) -> str:
        """See `Storage`."""
        return self._uid

    def write(self, event: Event) -> None:
        """See `Storage`."""
        check_event(event, Settings().max_payload_bytes)
        encode_event(event)  # refuses what could not be published
        placed = structs.replace(event, position=len(self.events), time=event.time or self._now())
        session = Session(self._uid, self._rows, self._plans)
        decision = apply(session, placed)
        self._rows.write(session.changes())
        self.events.append(placed)
        self.commands += decision.commands

    def read(self, *, wait: bool = True) -> SessionView:  # noqa: ARG002  # there is nothing to wait for
        """See `Storage`."""
        session = Session(self._uid, self._rows, self._plans)
        if not session.exists:
            raise SessionNotFound(f"there is no session {self._uid!r}")
        return view(session)
