"""Events of many sessions as JSON lines, which `triggers fire --from` reads and `triggers export` writes.

    {"session": "q-17", "trigger": "pageReceived", "kwargs": {"page": 3}, "time": "2024-03-01T10:20:30Z"}
    {"session": "q-17", "type": "finished", "instance": "t_import#0", "attempt": 1, "offset": 4711}

A line is an event in plain JSON (`plain_json`) and its `session`. If the event was in a topic, the line also has its
`offset` there and, if the producer gave a `time`, the record's timestamp as `recorded`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec
from msgspec import Raw

from triggers.codec.event_shapes import SHAPES, wire_name
from triggers.codec.json_fires import decode_json
from triggers.codec.keys import encode_key
from triggers.codec.reasons import Reason
from triggers.core.events import ConfigurationUpdated, Event, TriggerFired
from triggers.core.kwargs import join_object
from triggers.errors import Undecodable

T = TypeVar("T")

_IMPLIED = (TriggerFired, ConfigurationUpdated)
"""Events whose lines need no `type`, because their fields identify them."""
_UNWRITTEN = frozenset({"position", "trace"})
"""Fields that a line does not have: the position is its `offset`, and a trace belongs to the record."""
_members = msgspec.json.Decoder(dict[str, Raw]).decode
_text = msgspec.json.Decoder(str).decode
_number = msgspec.json.Decoder(int).decode


def decode_line(line: bytes, position: int) -> tuple[str, Event]:
    """Returns the session and the event of a line. `position` is used if the line has no `offset`.

    Raises Undecodable, or CallError if no worker would accept the session's UID.
    """
    members = _object(line)
    session = _member(members, "session", _text, b"null")
    encode_key(session)
    return session, _event(members, position)


def encode_line(session: str, event: Event) -> bytes:
    """Encodes an event as a line without its line end. Payloads stay verbatim; default values are omitted."""
    return _one_line(msgspec.json.encode({"session": session} | event_members(event)))


def decode_members(text: bytes) -> Event:
    """Decodes the JSON of `event_members`. Raises Undecodable."""
    return _event(_object(text), 0)


def event_members(event: Event) -> dict[str, object]:
    """Returns the members of the event in plain JSON, and its `offset`."""
    kind, fields, payloads = _LINES[type(event)]
    members: dict[str, object] = {} if kind is None else {"type": kind}
    for name, default in fields:
        if (value := getattr(event, name)) != default:
            members[name] = Raw(value) if name in payloads else value
    members["offset"] = event.position
    return members


def _object(text: bytes) -> dict[str, Raw]:
    try:
        return _members(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Undecodable(Reason.WRONG_SHAPE, f"it must be a JSON object: {error}") from error


def _member(members: dict[str, Raw], name: str, decode: Callable[[Raw], T], default: bytes) -> T:
    try:
        return decode(members.pop(name, Raw(default)))
    except msgspec.DecodeError as error:
        raise Undecodable(Reason.WRONG_SHAPE, f"{name}: {error}") from error


def _event(members: dict[str, Raw], position: int) -> Event:
    position = _member(members, "offset", _number, b"%d" % position)
    recorded = _member(members, "recorded", _number, b"0")
    return decode_json(join_object({name: bytes(value) for name, value in members.items()}), position, recorded)


def _one_line(text: bytes) -> bytes:
    """Replaces line ends by spaces. In JSON they can occur only between tokens."""
    return text.replace(b"\r", b" ").replace(b"\n", b" ") if b"\n" in text or b"\r" in text else text


def _shape_of_line(kind: type[Event]) -> tuple[str | None, list[tuple[str, object]], tuple[str, ...]]:
    """Returns the event's `type`, its fields with their defaults, and its payloads.

    The default of a required field equals no value, so that such a field is always written.
    """
    written = [field for field in msgspec.structs.fields(kind) if field.name not in _UNWRITTEN]
    fields = [(field.name, _default_of(field)) for field in written]
    return None if kind in _IMPLIED else wire_name(kind), fields, SHAPES[kind].payloads


def _default_of(field: msgspec.structs.FieldInfo) -> object:
    return field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()


_LINES = {kind: _shape_of_line(kind) for kind in SHAPES}
