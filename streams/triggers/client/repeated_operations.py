"""Recognises an operation that repeats an earlier one, by its id. Pure.

The engine ignores an event whose id its session remembers, whatever that event asks for. An operator must learn that,
because an operation that is ignored would look like one that was done.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec.structs import asdict

from triggers.core.events import AdoptionRequested, Event, OperatorEvent, SessionEvent
from triggers.errors import IdReused

_ABOUT_THE_RECORD: Final = {*SessionEvent.__struct_fields__, "actor"}
"""Fields that say nothing about what the operator asks for."""


def find_repeated(events: Iterable[Event], wanted: OperatorEvent) -> Event | None:
    """Returns the event of the session that `wanted` repeats, or None if none has its id.

    Raises IdReused if that event asks for something else.
    """
    earlier = None if wanted.id is None else next((each for each in events if each.id == wanted.id), None)
    if earlier is not None and not _asks_the_same(earlier, wanted):
        raise IdReused(
            f"the id {wanted.id!r:.300} belongs to an earlier event of the session that asks for something else, at the"
            f" offset {earlier.position}, so that this one would have no effect: send it with an id of its own"
        )
    return earlier


def _asks_the_same(earlier: Event, wanted: OperatorEvent) -> bool:
    if type(earlier) is not type(wanted):
        return False
    first, second = _request_of(earlier), _request_of(wanted)
    if isinstance(wanted, AdoptionRequested) and wanted.version == 0:
        first["version"] = 0  # "the newest version" was another one then
    return first == second


def _request_of(event: Event) -> dict[str, object]:
    """Returns what an event asks for. Its JSON is decoded, because clients may write the same in different ways."""
    return {
        name: msgspec.json.decode(value) if isinstance(value, bytes) else value
        for name, value in asdict(event).items()
        if name not in _ABOUT_THE_RECORD
    }
