"""The forms with which one instance is repaired: their fields, the events that they make, and what those would do."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Final, NamedTuple

import msgspec
from msgspec.structs import replace

from triggers.analysis.explain.explanation_text import event_sentences
from triggers.analysis.explain.proofs import explain
from triggers.analysis.time_travel import view_at
from triggers.analysis.view_changes import ChangedValue, changes_between
from triggers.analysis.visible_text import escape_json
from triggers.client.repair_checks import parse_replacement_kwargs, require_repairable, require_unfinished
from triggers.client.session_repairs import InstanceRepair, check_of, find_instance
from triggers.codec.json_payloads import check_payload
from triggers.console.forms import ParameterValues
from triggers.console.parameters import flag_of, needed_text, text_of
from triggers.core.events import CancelRequested, Event, ReplayRequested, SkipRequested, StatusSet
from triggers.core.view import InstanceView
from triggers.errors import CallError, Undecodable, WrongStatus

ALWAYS_CHANGED: Final = frozenset({"modified", "events"})
"""Values that every event changes."""


class Repair(StrEnum):
    """The repairs of an instance. The values are in the addresses of the forms."""

    REPLAY = "replay"
    SKIP = "skip"
    CANCEL = "cancel"
    STATUS = "status"


MEANINGS: Final[Mapping[Repair, str]] = {
    Repair.REPLAY: "The task runs again, as a new instance. This instance becomes replayed.",
    Repair.SKIP: "The task does not run again. The instance becomes skipped. With a cascade, the tasks that wait for it"
    " get the result.",
    Repair.CANCEL: "The instance ends: its task is not run, or its result is not wanted any more.",
    Repair.STATUS: "The instance gets another status, as if its task had reported it.",
}
"""The effect of each repair, in words."""


class Preview(NamedTuple):
    """The effects that an event would have."""

    sentences: list[str]
    changes: list[ChangedValue]


def repairs_of(instance: InstanceView, edition: int) -> list[Repair]:
    """Return what can be done with an instance in its present status."""
    return [repair for repair, check in _CHECKS.items() if _is_allowed(check, instance, edition)]


_CHECKS: Final[Mapping[Repair, Callable[[InstanceView, int], None]]] = {
    Repair.REPLAY: lambda instance, edition: require_repairable("replayed", instance, edition),
    Repair.SKIP: lambda instance, edition: require_repairable("skipped", instance, edition),
    Repair.CANCEL: require_unfinished,
    Repair.STATUS: lambda *_: None,
}


def _is_allowed(check: Callable[[InstanceView, int], None], instance: InstanceView, edition: int) -> bool:
    try:
        check(instance, edition)
    except WrongStatus:
        return False
    return True


def first_fields(repair: Repair, instance: InstanceView) -> ParameterValues:
    """Return the fields of a form that nobody has filled in yet."""
    match repair:
        case Repair.REPLAY:
            return {"kwargs": [_pretty(msgspec.json.encode(instance.kwargs))]}
        case Repair.SKIP:
            return {"result": ["{}"]}
        case Repair.STATUS:
            return {"status": ["finished"], "metadata": ["{}"], "cascade_kwargs": ["{}"]}
        case Repair.CANCEL:
            return {}


def event_of(repair: Repair, instance: InstanceView, form: ParameterValues, actor: str) -> InstanceRepair:
    """Return the event that a form describes. Its id is the form's, so that a form that is sent twice acts once.

    Raises CallError for a wrong field.
    """
    name, event_id = instance.name, text_of(form, "id") or f"console-{secrets.token_hex(8)}"
    match repair:
        case Repair.REPLAY:
            kwargs = _changed_kwargs(instance, form)
            return ReplayRequested(instance=name, replacement_kwargs=kwargs, actor=actor, id=event_id)
        case Repair.SKIP:
            cascade, result = flag_of(form, "cascade"), object_of(form, "result")
            return SkipRequested(instance=name, cascade=cascade, result=result, actor=actor, id=event_id)
        case Repair.CANCEL:
            return CancelRequested(instance=name, terminate=flag_of(form, "terminate"), actor=actor, id=event_id)
        case Repair.STATUS:
            return StatusSet(
                instance=name,
                status=needed_text(form, "status").strip(),
                metadata=object_of(form, "metadata"),
                cascade=flag_of(form, "cascade"),
                cascade_kwargs=object_of(form, "cascade_kwargs"),
                force=flag_of(form, "force"),
                actor=actor,
                id=event_id,
            )


def preview_of(uid: str, log: list[Event], event: InstanceRepair) -> Preview:
    """Return what the event would do to the session if it were applied now.

    The engine itself applies it to a copy of the session, so this is what happens unless another event comes first.
    Raises WrongStatus if the session would refuse it.
    """
    before = view_at(uid, log)
    check_of(event)(find_instance(before, event.instance), before.edition)
    now = max(time.time_ns() // 1_000_000, log[-1].time)
    later = [*log, replace(event, position=log[-1].position + 1, time=now)]
    changes = changes_between(before, view_at(uid, later))
    return Preview(
        list(event_sentences(explain(uid, later).events[-1])),
        [change for change in changes if change.path not in ALWAYS_CHANGED],
    )


def _changed_kwargs(instance: InstanceView, form: ParameterValues) -> bytes | None:
    """Return the kwargs of the form, or None if they are those that the instance has."""
    kwargs = object_of(form, "kwargs")
    parse_replacement_kwargs(kwargs)
    members = msgspec.json.decode(kwargs, type=dict[str, Any])
    held = msgspec.json.decode(msgspec.json.encode(instance.kwargs), type=dict[str, Any])
    return None if members == held else kwargs


def object_of(form: ParameterValues, name: str) -> bytes:
    """Return a field that is a JSON object, without the white space between its tokens."""
    written = (text_of(form, name).strip() or "{}").encode()
    try:
        check_payload(written, name)
    except Undecodable as error:
        raise CallError(error.detail) from error
    return msgspec.json.format(written, indent=-1)


def _pretty(payload: bytes) -> str:
    return escape_json(msgspec.json.format(payload, indent=2).decode())
