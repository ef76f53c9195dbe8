"""The fields of each event by kind (payloads, numbers, names), and the limits of each kind."""

from __future__ import annotations

from types import NoneType, UnionType
from typing import Final, get_args, get_type_hints

from msgspec import Struct

from triggers.codec.event_times import MAX_TIME
from triggers.codec.reasons import Reason
from triggers.core.events import Event, SessionEvent
from triggers.errors import Undecodable

MAX_NAME_CHARACTERS: Final = 1024
"""Maximum length of triggers, statuses, event ids and names of rules."""
_INSTANCE_NUMBER: Final = 24
"""Characters by which an instance's name may be longer than its task's."""
MAX_NUMBER: Final = 2**31 - 1
"""Maximum of attempts, log levels and cooldowns."""
_FREE_TEXT = {"exception_info", "exception_message", "exception_type"}
_TIMES = {"due"}
_COMMON = set(SessionEvent.__struct_fields__)


class Shape(Struct, frozen=True):
    """The fields of one class of events, without those that every event has."""

    event: type[Event]
    fields: tuple[str, ...]
    payloads: tuple[str, ...]
    """Fields that hold JSON objects as bytes."""
    numbers: tuple[str, ...]
    names: tuple[str, ...]


def wire_name(event: type[Event]) -> str:
    """Returns the `type` of the event in JSON."""
    return str(event.__struct_config__.tag)


def payloads(event: Event) -> list[tuple[str, bytes]]:
    """Returns the event's payloads as (name, bytes)."""
    values = ((name, getattr(event, name)) for name in SHAPES[type(event)].payloads)
    return [(name, value) for name, value in values if value is not None]


def check_limits(event: Event) -> None:
    """Raises Undecodable if a time, a number or a name exceeds its limit."""
    shape = SHAPES[type(event)]
    for name in shape.names:
        limit = MAX_NAME_CHARACTERS + _INSTANCE_NUMBER if name == "instance" else MAX_NAME_CHARACTERS
        if len(getattr(event, name) or "") > limit:
            raise Undecodable(Reason.OUT_OF_RANGE, f"{name} is longer than {limit} characters")
    for name in shape.numbers:
        limit = MAX_TIME if name in _TIMES else MAX_NUMBER
        if not 0 <= (number := getattr(event, name)) <= limit:
            raise Undecodable(Reason.OUT_OF_RANGE, f"{name} must be between 0 and {limit}, not {number}")


def _shape(event: type[Event]) -> Shape:
    types = {name: hint for name, hint in get_type_hints(event).items() if name not in _COMMON}

    def of(kind: type) -> tuple[str, ...]:
        return tuple(name for name, hint in types.items() if kind in _without_none(hint))

    names = tuple(name for name in of(str) if name not in _FREE_TEXT)
    return Shape(event, tuple(types), payloads=of(bytes), numbers=of(int), names=("id", "rules", *names))


def _without_none(hint: object) -> tuple[object, ...]:
    """Returns the members of a union but None, or the type itself if it is no union."""
    if not isinstance(hint, UnionType):
        return (hint,)
    return tuple(member for member in get_args(hint) if member is not NoneType)


SHAPES: Final[dict[type[Event], Shape]] = {event: _shape(event) for event in get_args(Event)}
WIRE_NAMES: Final = {wire_name(event): event for event in SHAPES}
