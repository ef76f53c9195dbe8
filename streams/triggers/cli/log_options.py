"""Options with which the commands of the analysis read events from a file instead of Kafka."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import click

from triggers.analysis.event_log import read_log
from triggers.analysis.input_file import InputFile
from triggers.analysis.verify.capsules import events_of_capsule, is_capsule, load_capsule
from triggers.cli.option_types import Input, JsonObject
from triggers.cli.settings_options import require_kafka
from triggers.client.session_events import SessionEvents
from triggers.core.events import Event
from triggers.errors import SessionNotFound
from triggers.settings import Settings

F = TypeVar("F", bound=Callable[..., Any])

_FROM = (
    "Read events from this file instead of Kafka: JSON lines, optionally compressed with gzip, or a capsule; - is"
    " standard input."
)


def log_options(command: F) -> F:
    """Add `--from FILE` and `--rules` to a command, as its parameters `file` and `rules`."""
    from_file = click.option("--from", "file", type=Input(), help=_FROM)
    rules = click.option("--rules", type=JsonObject(), help="With --from: rules of sessions without a configuration.")
    return from_file(rules(command))


def every_event(settings: Settings, file: InputFile | None, rules: bytes | None) -> Iterator[tuple[str, Event]]:
    """Yield session and event of every line of the file, or of every event that is on the topic now.

    Raises CallError, BrokerUnavailable.
    """
    _check(file, rules)
    if file is not None:
        return _read(file, rules)
    require_kafka(settings, "events", "dead_letters")
    return SessionEvents(settings).read_all()


def session_events(settings: Settings, session: str, file: InputFile | None, rules: bytes | None) -> list[Event]:
    """Read the session's events. Raises SessionNotFound, EventsExpired, BadLog, BadCapsule, BrokerUnavailable."""
    return events_by_session(settings, [session], file, rules)[session]


def events_by_session(
    settings: Settings, sessions: Sequence[str], file: InputFile | None, rules: bytes | None
) -> dict[str, list[Event]]:
    """Read the events of several sessions in one pass. Raises as `session_events` does if one of them has no event."""
    _check(file, rules)
    if file is None:
        require_kafka(settings)
        return SessionEvents(settings).read_sessions(sessions)
    logs: dict[str, list[Event]] = {uid: [] for uid in sessions}
    for uid, event in _read(file, rules):
        if uid in logs:
            logs[uid].append(event)
    for uid, events in logs.items():
        if not events:
            raise SessionNotFound(f"{file.name} has no event of session {uid!r}")
    return logs


def _read(file: InputFile, rules: bytes | None) -> Iterator[tuple[str, Event]]:
    if not is_capsule(file):
        return read_log(file, rules)
    capsule = load_capsule(file)
    if rules is not None:
        raise click.UsageError("--rules needs a log of events: a capsule has the rules of its session")
    return events_of_capsule(capsule)


def _check(file: InputFile | None, rules: bytes | None) -> None:
    if rules is not None and file is None:
        raise click.UsageError("--rules needs --from: sessions on Kafka have their configurations")
