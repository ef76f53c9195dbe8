"""Decodes events in plain JSON: fired triggers, which most of them are, here, and all others by `plain_json`."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, cast

import msgspec
from msgspec import Raw
from msgspec.structs import astuple

from triggers.codec.event_shapes import MAX_NAME_CHARACTERS, check_limits
from triggers.codec.event_times import event_times
from triggers.codec.json_payloads import check_form
from triggers.codec.plain_json import decode_any_json, decode_fire, payload
from triggers.core.events import Event, TriggerFired

_Fields = tuple[str, Raw, str | None, int | datetime | None, str | None, str | None, str | None]
"""The fields of a `JsonFire` in their order. Reading all of them at once costs as much as reading two."""

_decode: Final = decode_fire  # a final name is not looked up, which would take 130 instructions
_astuple: Final = astuple
_encode: Final = msgspec.json.Encoder().encode
_TRIGGER_FIRED: Final = TriggerFired
_MAX_NAME_CHARACTERS: Final = MAX_NAME_CHARACTERS
_TRIGGER: Final = len(b'"trigger":')
_KWARGS: Final = len(b'"kwargs":')
_ID: Final = len(b'"id":')


def decode_json(value: bytes, position: int, time: int) -> Event:
    """Decodes an event. Its payloads are slices of the value. Raises Undecodable."""
    tree, is_compact = check_form(value, "the value")
    if is_compact and isinstance(tree, dict) and len(tree) <= 3:  # trigger, kwargs and id
        event = _read_fire(tree, value, position, time)
        if event is not None:
            return event
    try:
        fire = _decode(value)
    except msgspec.ValidationError:
        return decode_any_json(value, position, time)
    trigger, raw, event_id, claimed, source, rules, _ = cast("_Fields", _astuple(fire))
    kwargs = bytes(raw)
    if kwargs[:1] != b"{":
        kwargs = payload(raw, "kwargs") or b"{}"
    at, recorded = (time, 0) if claimed is None else event_times(claimed, time)
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


def _read_fire(tree: dict[str, Any], value: bytes, position: int, time: int) -> Event | None:
    """Returns the fire of a decoded value, or None if it has other members than a trigger, kwargs and perhaps an id.

    As the value has the form in which msgspec writes it, the lengths of the other members say where the kwargs are. So
    nothing is decoded a second time.
    """
    trigger, kwargs, event_id = tree.get("trigger"), tree.get("kwargs"), tree.get("id")
    if type(trigger) is not str or type(kwargs) is not dict:
        return None
    if len(tree) == 3 and type(event_id) is not str:
        return None
    start, end = 1, len(value) - 1
    is_before = True
    for name in tree:
        if name == "kwargs":
            is_before = False
            start += _KWARGS
            continue
        size = 1 + (_TRIGGER + len(_encode(trigger)) if name == "trigger" else _ID + len(_encode(event_id)))
        if is_before:
            start += size
        else:
            end -= size
    fire = _TRIGGER_FIRED(position=position, time=time, id=event_id or None, trigger=trigger, kwargs=value[start:end])
    if len(value) > _MAX_NAME_CHARACTERS:
        check_limits(fire)
    return fire
