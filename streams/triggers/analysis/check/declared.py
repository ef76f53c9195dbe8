"""Reads what the application fires, which users declare as names, events, or files of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

import msgspec

from triggers.analysis.check.worlds import FiredMove
from triggers.analysis.event_log import read_log
from triggers.analysis.input_file import InputFile, input_file_of
from triggers.codec.json_fires import decode_json
from triggers.core.events import Event, TriggerFired
from triggers.errors import CallError, Undecodable

_names = msgspec.json.Decoder(list[str]).decode


def declared_triggers(declarations: Iterable[str]) -> set[str]:
    """Returns the declared triggers. A declaration is a name, or a file with a JSON list of names or a log of events.

    Raises BadLog or CallError if a file is neither.
    """
    return {name for declaration in declarations for name in _declared(declaration)}


def declared_events(declarations: Iterable[str]) -> Counter[FiredMove]:
    """Counts the declared events. A declaration is a trigger's name, an event in plain JSON, or a log of one session.

    Results in a log are left out, because the exploration decides when tasks finish. Raises BadLog, CallError.
    """
    return Counter(event for declaration in declarations for event in _events(declaration))


def declared_event(text: str) -> FiredMove:
    """Returns the event of a trigger's name or of plain JSON. Raises CallError."""
    return _fired(_decoded(text), text) if text.lstrip().startswith("{") else FiredMove(text)


def _declared(declaration: str) -> Iterator[str]:
    file = input_file_of(declaration)
    if file is None:
        yield declaration
    elif file.peek(_SNIFFED).lstrip()[:1] == b"[":
        yield from _list(file)
    else:
        yield from (event.trigger for _, event in read_log(file) if isinstance(event, TriggerFired))


_SNIFFED = 100


def _list(file: InputFile) -> list[str]:
    try:
        return _names(file.read())
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CallError(f"{file.name} must be a JSON list of trigger names: {error}") from error


def _events(declaration: str) -> Iterator[FiredMove]:
    file = None if declaration.lstrip().startswith("{") else input_file_of(declaration)
    if file is None:
        yield declared_event(declaration)
    else:
        yield from _session(file)


def _decoded(declaration: str) -> Event:
    try:
        return decode_json(declaration.encode(), 0, 0)
    except Undecodable as error:
        raise CallError(f"{declaration} is not an event: {error}") from error


def _fired(event: Event, declaration: str) -> FiredMove:
    if not isinstance(event, TriggerFired):
        raise CallError(f"{declaration} fires no trigger; give only events with which the application fires one")
    return FiredMove(event.trigger, event.kwargs)


def _session(file: InputFile) -> Iterator[FiredMove]:
    first: str | None = None
    for session, event in read_log(file):
        first = first or session
        if session != first:
            raise CallError(f"{file.name} has events of {first!r} and of {session!r}; give a log of one session")
        if isinstance(event, TriggerFired):
            yield FiredMove(event.trigger, event.kwargs)
