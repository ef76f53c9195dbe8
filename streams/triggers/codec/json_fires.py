"""Decodes events in plain JSON, most of which are fired triggers."""

from __future__ import annotations

from datetime import datetime
from typing import Final, cast

from msgspec import Raw, ValidationError
from msgspec.structs import astuple

from triggers.codec.event_shapes import MAX_NAME_CHARACTERS, check_limits
from triggers.codec.event_times import event_times
from triggers.codec.json_payloads import check_json
from triggers.codec.plain_json import decode_any_json, decode_fire, payload
from triggers.core.events import Event, TriggerFired

_Fields = tuple[str, Raw, str | None, int | datetime | None, str | None, str | None, str | None]
"""The fields of a `JsonFire` in their order. Reading all of them at once costs as much as reading two."""

_decode: Final = decode_fire  # a final name is not looked up, which would take 130 instructions
_astuple: Final = astuple
_TRIGGER_FIRED: Final = TriggerFired
_MAX_NAME_CHARACTERS: Final = MAX_NAME_CHARACTERS


def decode_json(value: bytes, position: int, time: int) -> Event:
    """Decodes an event. Its payloads are slices of the value. Raises Undecodable."""
    check_json(value, "the value")
    try:
        fire = _decode(value)
    except ValidationError:
        return decode_any_json(value, position, time)
    trigger, raw, event_id, given, source, rules, _ = cast("_Fields", _astuple(fire))
    kwargs = bytes(raw)
    if kwargs[:1] != b"{":
        kwargs = payload(raw, "kwargs") or b"{}"
    at, recorded = (time, 0) if given is None else event_times(given, time)
    event = _TRIGGER_FIRED(
        position=position,
        time=at,
        recorded=recorded,
        id=event_id or None,
        source=source or None,
        rules=rules or None,
        trigger=trigger,
        kwargs=kwargs,
    )
    if len(value) > _MAX_NAME_CHARACTERS:
        check_limits(event)
    return event
