"""Storages in memory, for tests. They apply the same rules as the stream without Kafka or a cache."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

import msgspec
from msgspec import structs
from typing_extensions import override

from triggers.codec import check_event, encode_event, encode_key
from triggers.core.commands import Command
from triggers.core.decision import Decision
from triggers.core.engine import apply
from triggers.core.events import Event
from triggers.core.state.plans import Plans
from triggers.core.state.rows import MemoryRows, due_timers
from triggers.core.state.session import Session
from triggers.core.view import SessionView, view_session
from triggers.errors import LockAcquisitionFailed, SessionNotFound
from triggers.settings import Settings
from triggers.storages.base import BaseStorageBackend, Stored
from triggers.storages.due_timers import RecordEvent, Written, next_due, write_due_events
from triggers.storages.published_rules import published_rows
from triggers.storages.view_storage import ViewStorage


def _milliseconds() -> int:
    return time.time_ns() // 1_000_000


class MemoryStorage(ViewStorage):
    """A storage that applies every event at once and collects the commands.

    A test writes the results itself, or lets `triggers.testing.LocalSession` run the tasks.
    Unlike on the stream, `write` raises the errors with which the engine refuses an event: InvalidConfiguration,
    WrongStatus, TaskNotFound, InstanceNotFound.
    """

    def __init__(self, uid: str, now: Callable[[], int] = _milliseconds) -> None:
        """`now` returns the milliseconds since 1970, for events without a time."""
        super().__init__()
        encode_key(uid)
        self.uid = uid
        self._now = now
        self._rows = MemoryRows()
        self._plans = Plans()
        self.events: list[Event] = []
        """All events that were written, in order."""
        self.commands: list[Command] = []
        """All commands that the events caused, in order."""

    def write(self, event: Event) -> Decision:
        check_event(event, Settings().max_payload_bytes)
        encode_event(event)  # raises for an event that could not be published
        positioned = structs.replace(event, position=len(self.events), time=event.time or self._now())
        self._rows.update(published_rows())
        session = Session(self.uid, self._rows, self._plans)
        decision = apply(session, positioned)
        self._rows.write(session.changes())
        self.events.append(positioned)
        self.commands += decision.commands
        self.invalidate_cache()
        return decision

    @override
    def configuration_for(self, configuration: bytes, manager: type | None) -> bytes:
        return configuration

    @override
    def write_due(self, record: RecordEvent) -> Written:
        now = self._now()
        return write_due_events(lambda: due_timers(self._rows, now), now, record)

    def next_due(self) -> int | None:
        """Returns when the session's first timer is due, in milliseconds since 1970, or None if there is none."""
        return next_due(self._rows)

    @override
    def read(self, *, wait: bool = True) -> SessionView:
        session = Session(self.uid, self._rows, self._plans)
        if not session.exists:
            raise SessionNotFound(f"there is no session {self.uid!r}")
        return view_session(session)


class MemoryStorageBackend(BaseStorageBackend):
    """An embedded storage in the memory of the process, for tests of an application's tasks with the threading runner.

    All objects with the same UID share one session.
    """

    name: ClassVar[str | None] = "memory"
    triggers__registry_key: ClassVar[str] = "memory"

    _sessions: ClassVar[dict[str, bytes]] = {}
    _locks: ClassVar[defaultdict[str, threading.Lock]] = defaultdict(threading.Lock)
    _due: ClassVar[dict[str, int]] = {}

    @classmethod
    def clear(cls) -> None:
        """Deletes the sessions of all UIDs; for the end of a test."""
        cls._sessions.clear()
        cls._due.clear()

    @override
    @classmethod
    def due_sessions(cls, now: int, **_: object) -> list[str]:
        return sorted(uid for uid, due in cls._due.items() if due <= now)

    @override
    def _store_due_time(self, due: int | None) -> None:
        self._due.pop(self.uid, None)
        if due is not None:
            self._due[self.uid] = due

    def _load_from_backend(self) -> tuple[Stored, Stored, Mapping[str, Any]]:
        tasks, instances, metas = msgspec.json.decode(self._sessions.get(self.uid, b"[{},{},{}]"))
        return tasks, instances, metas

    def _save(self) -> None:
        state = (self._serialize(self._configs), self._serialize(self._instances), self._metas)
        self._sessions[self.uid] = msgspec.json.encode(state)

    @override
    @contextmanager
    def _lock(self, ttl: bool | float | None, block: bool) -> Iterator[None]:
        lock = self._locks[self.uid]
        if not lock.acquire(blocking=block):
            raise LockAcquisitionFailed(f"another thread holds the lock of session {self.uid!r}")
        try:
            yield
        finally:
            lock.release()
