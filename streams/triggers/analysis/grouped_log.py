"""Groups a log of many sessions by session, in a temporary file, so that memory does not grow with the log."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from types import TracebackType
from typing import Self

import msgspec

from triggers.core.events import Event

_CACHE_KIB = 32_768
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Event).decode


class GroupedLog:
    """Collects events of many sessions and returns them session by session. `with` deletes the file at the end.

    It is a private SQLite database, about as large as the log, in the folder for temporary files. Its sort is external.
    """

    def __init__(self, events: Iterable[tuple[str, Event]] = ()) -> None:
        self._database = sqlite3.connect("")
        self._database.executescript(
            f"PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-{_CACHE_KIB}; PRAGMA temp_store=FILE;"
            "CREATE TABLE events (session TEXT NOT NULL, event BLOB NOT NULL)"
        )
        self.newest = 0
        """The time of the latest event, in milliseconds since 1970-01-01 UTC."""
        self.add(events)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()

    def add(self, events: Iterable[tuple[str, Event]]) -> None:
        """Adds events; those of one session must come in order."""
        self._database.executemany("INSERT INTO events VALUES (?, ?)", self._rows(events))

    def sessions(self) -> Iterator[tuple[str, Iterator[Event]]]:
        """Yields every session, sorted by UID, with its events in order. Read them before you take the next session."""
        rows = self._database.execute("SELECT session, event FROM events ORDER BY session, rowid")
        for session, group in groupby(rows, key=itemgetter(0)):
            yield session, (_decode(event) for _, event in group)

    def _rows(self, events: Iterable[tuple[str, Event]]) -> Iterator[tuple[str, bytes]]:
        for session, event in events:
            self.newest = max(self.newest, event.time)
            yield session, _encode(event)
