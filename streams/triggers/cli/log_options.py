"""Options that let the commands of the analysis read events from a file instead of Kafka."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from triggers.analysis.event_log import read_log
from triggers.analysis.verify.capsules import events_of_capsule, is_capsule, load_capsule
from triggers.cli.option_types import JsonObject
from triggers.client.session_events import SessionEvents
from triggers.core.events import Event
from triggers.errors import SessionNotFound
from triggers.settings import Settings

F = TypeVar("F", bound=Callable[..., Any])

_FROM = "Read events from this file instead of Kafka: JSON lines, optionally compressed (.gz), or a capsule."


def log_options(command: F) -> F:
    """Add `--from FILE` and `--rules` to a command, as its parameters `file` and `rules`."""
    kind = click.Path(path_type=Path, exists=True, dir_okay=False)
    from_file = click.option("--from", "file", type=kind, help=_FROM)
    rules = click.option("--rules", type=JsonObject(), help="With --from: rules of sessions without a configuration.")
    return from_file(rules(command))


def every_event(settings: Settings, file: Path | None, rules: bytes | None) -> Iterator[tuple[str, Event]]:
    """Yield session and event of every line of the file, or of every event that is on the topic now.

    Raises CallError, BrokerUnavailable.
    """
    _check(file, rules)
    return SessionEvents(settings).read_all() if file is None else _read(file, rules)


def session_events(settings: Settings, session: str, file: Path | None, rules: bytes | None) -> list[Event]:
    """Read the session's events. Raises SessionNotFound, EventsExpired, BadLog, BadCapsule, BrokerUnavailable."""
    return sessions_events(settings, [session], file, rules)[session]


def sessions_events(
    settings: Settings, sessions: Sequence[str], file: Path | None, rules: bytes | None
) -> dict[str, list[Event]]:
    """Read the events of several sessions in one pass. Raises as `session_events` does if one of them has no event."""
    _check(file, rules)
    if file is None:
        return SessionEvents(settings).read_sessions(sessions)
    logs: dict[str, list[Event]] = {uid: [] for uid in sessions}
    for uid, event in _read(file, rules):
        if uid in logs:
            logs[uid].append(event)
    for uid, events in logs.items():
        if not events:
            raise SessionNotFound(f"{file} has no event of session {uid!r}")
    return logs


def _read(file: Path, rules: bytes | None) -> Iterator[tuple[str, Event]]:
    if not is_capsule(file):
        return read_log(file, rules)
    if rules is not None:
        raise click.UsageError("--rules needs a log of events: a capsule has the rules of its session")
    return events_of_capsule(load_capsule(file))


def _check(file: Path | None, rules: bytes | None) -> None:
    if rules is not None and file is None:
        raise click.UsageError("--rules needs --from: sessions on Kafka have their configurations")
