"""Decodes events of all kinds in plain JSON, which a service in any language can write.

    {"trigger": "pageReceived", "kwargs": {"page": 3}, "id": "a1", "time": "2024-03-01T10:20:30Z"}
    {"configuration": {"t_import": {"after": ["pageReceived"], "run": "app.tasks.import_page"}}}
    {"type": "finished", "instance": "t_import#0", "attempt": 1, "result": {"subject": 7}}

`type` is the tag of a class of core/events.py. The other members are the fields of that class, with payloads as JSON
objects. Without `type`, an object that has a `configuration` is a `configure`, and any other is a `fire`. Every event
may have `id`, `time` (RFC 3339 or milliseconds), `source` and `rules`. Null means absent. An unknown field is refused,
because a misspelt `kwargs` would otherwise run tasks without their data.
"""

from __future__ import annotations

from datetime import datetime
from difflib import get_close_matches
from types import UnionType
from typing import Any, Final, Literal, NoReturn, cast, get_type_hints

import msgspec
from msgspec import Raw, Struct

from triggers.codec.event_shapes import SHAPES, WIRE_NAMES, Shape, check_limits, wire_name
from triggers.codec.event_times import event_times
from triggers.codec.json_payloads import refuse_non_object
from triggers.codec.reasons import Reason
from triggers.core.events import Event
from triggers.errors import Undecodable

_NULL = (b"", b"null")


class JsonFire(Struct, frozen=True, forbid_unknown_fields=True):
    """The JSON of `TriggerFired`, which `json_fires` reads. The classes of the other events are generated."""

    trigger: str
    kwargs: Raw = Raw()
    id: str | None = None
    time: int | datetime | None = None
    source: str | None = None
    rules: str | None = None
    type: Literal["fire"] | None = None


class _Common(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The members that the JSON of every event may have."""

    id: str | None = None
    time: int | datetime | None = None
    source: str | None = None
    rules: str | None = None


decode_fire: Final = msgspec.json.Decoder(JsonFire).decode
_decode_members = msgspec.json.Decoder(dict[str, Raw]).decode


def payload(raw: Raw, name: str) -> bytes:
    """Returns the payload verbatim, or no bytes if it is absent. Raises Undecodable if it is not an object."""
    text = bytes(raw)
    if text[:1] != b"{" and text not in _NULL:
        refuse_non_object(text, name)
    return b"" if text in _NULL else text


def decode_any_json(value: bytes, position: int, time: int) -> Event:
    """Decodes an event of any kind, whose text `check_form` has accepted. Raises Undecodable."""
    try:
        members = _decode_members(value)
    except msgspec.ValidationError:
        refuse_non_object(value, "an event")
    shape = SHAPES[_event_class(members)]
    try:
        wire = _DECODERS[shape.event].decode(value)
    except msgspec.ValidationError as error:
        _explain(error, members, shape)
    return _event(wire, shape, position, time)


def _event_class(members: dict[str, Raw]) -> type[Event]:
    implied = b'"configure"' if "configuration" in members else b'"fire"'
    kind = members.get("type", Raw(implied))
    name = msgspec.json.decode(implied if bytes(kind) == b"null" else kind)
    if isinstance(name, str) and name in WIRE_NAMES:
        return WIRE_NAMES[name]
    raise Undecodable(Reason.UNKNOWN_EVENT, f"type {name!r:.60}{_nearest(str(name), list(WIRE_NAMES))}")


def _event(wire: _Common, shape: Shape, position: int, time: int) -> Event:
    """Builds an event from its decoded JSON. An absent field gets the default of the event's class."""
    fields = {name: value for name in shape.fields if (value := getattr(wire, name)) is not None}
    for name in shape.payloads:
        if text := payload(fields.pop(name), name):
            fields[name] = text
    at, recorded = event_times(wire.time, time)
    common: dict[str, Any] = {name: getattr(wire, name) or None for name in ("id", "source", "rules")}
    try:
        event = shape.event(position=position, time=at, recorded=recorded, **common, **fields)
    except TypeError as error:
        raise Undecodable(Reason.WRONG_SHAPE, f"{wire_name(shape.event)}: {error}") from error
    check_limits(event)
    return event


def _explain(error: msgspec.ValidationError, members: dict[str, Raw], shape: Shape) -> NoReturn:
    known = [*_DECODERS[shape.event].type.__struct_fields__]
    kind = wire_name(shape.event)
    if unknown := [name for name in members if name not in known]:
        detail = f"{kind} has no field {unknown[0]!r:.60}{_nearest(unknown[0], known)}"
        raise Undecodable(Reason.UNKNOWN_FIELD, detail) from error
    raise Undecodable(Reason.WRONG_SHAPE, f"{kind}: {error}") from error


def _nearest(name: str, known: list[str]) -> str:
    matches = get_close_matches(name, known, n=1, cutoff=0.5)
    return f"; did you mean {matches[0]!r}?" if matches else f"; use one of {', '.join(sorted(known))}"


def _wire_class(shape: Shape) -> type[_Common]:
    """Generates a class that decodes the event's JSON. Payloads stay raw; null means absent if there is a default."""
    hints = get_type_hints(shape.event)
    required = {field.name for field in msgspec.structs.fields(shape.event) if field.required}
    specific = [(name, *_member(hints[name], name in shape.payloads, name in required)) for name in shape.fields]
    kind = ("type", Literal[wire_name(shape.event)] | None, None)
    fields: Any = [*specific, kind]
    return cast("type[_Common]", msgspec.defstruct(shape.event.__name__, fields, bases=(_Common,), kw_only=True))


def _member(hint: type | UnionType, is_payload: bool, is_required: bool) -> tuple[object, ...]:
    if is_payload:
        return (Raw,) if is_required else (Raw, Raw())
    return (hint,) if is_required else (hint | None, None)


_DECODERS: Final = {shape.event: msgspec.json.Decoder(_wire_class(shape)) for shape in SHAPES.values()}
