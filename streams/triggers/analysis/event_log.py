"""Reads logs from files: JSON lines, optionally `.gz`, as `triggers export` writes and `triggers fire --from` reads."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path

from triggers.codec.event_lines import decode_line
from triggers.core.config import validate_configuration
from triggers.core.events import ConfigurationUpdated, Event
from triggers.errors import CallError, Undecodable

_DIGEST_BYTES = 12
"""The length of the hash that is kept of each session seen. It limits the memory that a log of many sessions takes."""


class BadLog(CallError):
    """The file is not a log of events."""


def read_log(path: Path, rules: bytes | None = None) -> Iterator[tuple[str, Event]]:
    """Yields the session and the event of every line, in order. An event without `offset` gets its line number.

    A session that does not begin with a configuration gets `rules` first, if they are given. Raises BadLog, which
    names the line, and InvalidConfiguration if the engine refuses `rules`.
    """
    if rules is None:
        yield from _events(path)
        return
    validate_configuration(rules)
    yield from _configured(_events(path), rules)


def _configured(events: Iterator[tuple[str, Event]], rules: bytes) -> Iterator[tuple[str, Event]]:
    """Inserts the rules one position before a session's first event, where the session cannot have another event."""
    seen: set[bytes] = set()
    for session, event in events:
        digest = blake2b(session.encode(), digest_size=_DIGEST_BYTES).digest()
        if digest not in seen:
            seen.add(digest)
            if not isinstance(event, ConfigurationUpdated):
                yield session, _first(event, rules)
        yield session, event


def _first(event: Event, rules: bytes) -> Event:
    return ConfigurationUpdated(configuration=rules, if_absent=True, time=event.time, position=event.position - 1)


def _events(path: Path) -> Iterator[tuple[str, Event]]:
    for number, line in enumerate(_lines(path), 1):
        if line.strip():
            try:
                yield decode_line(line, number)
            except (CallError, Undecodable) as error:
                raise BadLog(f"{path}, line {number}: {error}") from error


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            yield from file
    except (OSError, EOFError, zlib.error) as error:
        raise BadLog(f"{path}: {error}") from error
