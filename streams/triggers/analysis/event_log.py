"""Recorded logs: JSON lines in a file, and a log of many sessions, session by session."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from itertools import groupby
from operator import itemgetter
from types import TracebackType
from typing import Self

import msgspec
from msgspec.structs import replace

from triggers.analysis.input_file import InputFile
from triggers.codec.event_lines import decode_line
from triggers.core.config import validate_configuration
from triggers.core.events import ConfigurationUpdated, Event, RulesPublished
from triggers.errors import CallError, Undecodable

_DIGEST_BYTES = 12
"""The length of the hash that is kept of each session seen. It limits the memory that a log of many sessions takes."""


class BadLog(CallError):
    """The file is not a log of events."""


def read_log(file: InputFile, rules: bytes | None = None) -> Iterator[tuple[str, Event]]:
    """Yields the session and the event of every line, in order. An event without `offset` gets its line number.

    A session that does not begin with a configuration gets `rules` first, if they are given. Raises BadLog, which
    names the line, BadInput, and InvalidConfiguration if the engine refuses `rules`.
    """
    if rules is None:
        yield from _events(file)
        return
    validate_configuration(rules)
    yield from _configured(_events(file), rules)


def _configured(events: Iterator[tuple[str, Event]], rules: bytes) -> Iterator[tuple[str, Event]]:
    """Inserts the rules one position before a session's first event, where the session cannot have another event."""
    seen: set[bytes] = set()
    for session, event in events:
        digest = blake2b(session.encode(), digest_size=_DIGEST_BYTES).digest()
        if digest not in seen:
            seen.add(digest)
            if not isinstance(event, ConfigurationUpdated | RulesPublished):
                yield session, _first(event, rules)
        yield session, event


def _first(event: Event, rules: bytes) -> Event:
    return ConfigurationUpdated(configuration=rules, if_absent=True, time=event.time, position=event.position - 1)


def _events(file: InputFile) -> Iterator[tuple[str, Event]]:
    for number, line in enumerate(file.lines(), 1):
        if line.strip():
            try:
                yield decode_line(line, number)
            except (CallError, Undecodable) as error:
                raise BadLog(f"{file.name}, line {number}: {error}") from error


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
        self._configurations: dict[tuple[str, int], bytes] = {}
        """The configurations of published rules, which many sessions share, by name and version."""
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
            yield session, (self._whole(_decode(event)) for _, event in group)

    def _rows(self, events: Iterable[tuple[str, Event]]) -> Iterator[tuple[str, bytes]]:
        for session, event in events:
            self.newest = max(self.newest, event.time)
            yield session, _encode(self._shared(event))

    def _shared(self, event: Event) -> Event:
        """Returns the event without a configuration that is stored only once."""
        if not isinstance(event, RulesPublished):
            return event
        self._configurations[event.name, event.version] = event.configuration
        return replace(event, configuration=b"")

    def _whole(self, event: Event) -> Event:
        if not isinstance(event, RulesPublished):
            return event
        return replace(event, configuration=self._configurations[event.name, event.version])
