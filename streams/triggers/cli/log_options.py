"""Where the commands that analyse get events from: a file, or Kafka."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import click

from triggers.analysis.event_log import read_log
from triggers.cli.payload_option import JsonObject
from triggers.client.session_events import SessionEvents
from triggers.core.events import Event
from triggers.errors import SessionNotFound
from triggers.settings import Settings

F = TypeVar("F", bound=Callable[..., Any])


def log_options(command: F) -> F:
    """`--from FILE` and `--rules`, the parameters `file` and `rules`."""
    kind = click.Path(path_type=Path, exists=True, dir_okay=False)
    from_file = click.option("--from", "file", type=kind, help="A log of events instead of Kafka: JSON lines, .gz too.")
    rules = click.option("--rules", type=JsonObject(), help="With --from: rules of sessions that have none.")
    return from_file(rules(command))


def every_event(settings: Settings, file: Path | None, rules: bytes | None) -> Iterator[tuple[str, Event]]:
    """Session and event of the file, or of all that is on the topic now. Raises BadLog, BrokerUnavailable."""
    _check(file, rules)
    return SessionEvents(settings).every() if file is None else read_log(file, rules)


def events_of(settings: Settings, session: str, file: Path | None, rules: bytes | None) -> list[Event]:
    """The session's events. Raises SessionNotFound, EventsExpired, BadLog, BrokerUnavailable."""
    _check(file, rules)
    if file is None:
        return SessionEvents(settings).of(session)
    if found := [event for uid, event in read_log(file, rules) if uid == session]:
        return found
    raise SessionNotFound(f"there is no event of session {session!r} in {file}")


def _check(file: Path | None, rules: bytes | None) -> None:
    if rules is not None and file is None:
        raise click.UsageError("--rules goes with --from: sessions on Kafka have their configurations there")
