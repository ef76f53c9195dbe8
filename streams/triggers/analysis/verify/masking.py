"""Masks confidential values in events before they are shared. Decisions change only if an expression reads them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from triggers.codec.event_shapes import SHAPES
from triggers.core.config import compile_plan
from triggers.core.events import ConfigurationUpdated, Event, RulesPublished, SessionImported
from triggers.core.kwargs import join_object, split_members

MASK = b'"***"'
_DATA = ("withParams", "meta")
"""Directives whose values are the application's; `meta` is one of edition 2."""
_TEXTS: Final = ("exception_info", "exception_message")
_list = msgspec.json.Decoder(list[Raw]).decode


def mask_event(event: Event, names: Collection[str]) -> Event:
    """Returns the event with the values of these names masked, at any depth of its payloads.

    In a configuration, only `withParams`, `meta` and the application's own keys are masked. `exception_info` and
    `exception_message`, which are text for people, are both masked if either is named, because the first contains the
    second.
    """
    if not names:
        return event
    shape = SHAPES[type(event)]
    mask = _MASKS.get(type(event), _mask)
    payloads = {name: getattr(event, name) for name in shape.payloads}
    changed: dict[str, object] = {name: mask(value, names) for name, value in payloads.items() if value is not None}
    changed |= {name: "***" for name in _TEXTS if name in shape.fields and not set(_TEXTS).isdisjoint(names)}
    return replace(event, **changed)


def _mask(text: bytes, names: Collection[str]) -> bytes:
    """Masks values in JSON. Other bytes stay as they were written."""
    start = text.lstrip()[:1]
    if start == b"{":
        members = split_members(text).items()
        return join_object({name: MASK if name in names else _mask(value, names) for name, value in members})
    if start == b"[":
        return b"[" + b",".join([_mask(bytes(value), names) for value in _list(text)]) + b"]"
    return text


def _mask_configuration(text: bytes, names: Collection[str]) -> bytes:
    plan = compile_plan(text)
    extras = {name: () if plan.edition != 1 else rule.extra for name, rule in plan.tasks.items()}
    members = split_members(text).items()
    return join_object(
        {task: _mask_rule(value, names, extras[task]) if task in extras else value for task, value in members}
    )


def _mask_rule(text: bytes, names: Collection[str], extra: Collection[str]) -> bytes:
    members = split_members(text)
    for key in (*extra, *_DATA):
        if key in members:
            members[key] = MASK if key in names and key in extra else _mask(members[key], names)
    return join_object(members)


def _mask_state(text: bytes, names: Collection[str]) -> bytes:
    """Masks an imported session: its configuration, and the kwargs and metadata of instances and triggers."""
    masks = {"configuration": _mask_configuration, "latest_kwargs": _mask, "instances": _mask_instances}
    members = split_members(text).items()
    return join_object({key: masks[key](value, names) if key in masks else value for key, value in members})


def _mask_instances(text: bytes, names: Collection[str]) -> bytes:
    return b"[" + b",".join([_mask_instance(bytes(value), names) for value in _list(text)]) + b"]"


def _mask_instance(text: bytes, names: Collection[str]) -> bytes:
    members = split_members(text).items()
    return join_object({key: _mask(value, names) if key in {"kwargs", "metadata"} else value for key, value in members})


_MASKS: Final[dict[type, Callable[[bytes, Collection[str]], bytes]]] = {
    ConfigurationUpdated: _mask_configuration,
    RulesPublished: _mask_configuration,
    SessionImported: _mask_state,
}
