"""Forwarded events of a log whose offsets change, because their ids contain the offset of the event behind them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from msgspec.structs import replace

from triggers.agent.forwards import MAX_FORWARDS, count_forwards
from triggers.core.commands import ForwardTrigger
from triggers.core.edition_2_fires import parse_forward_id
from triggers.core.events import Event, TriggerFired
from triggers.errors import CallError
from triggers.kafka.records import Record

_MOVED = "moved:"
_MAX_ID = 1024


class _Forward(NamedTuple):
    """What makes a forward in the log and one that the rules demand the same."""

    origin: str
    number: int
    session: str
    trigger: str
    kwargs: bytes


class MovedForwards:
    """Matches the forwards that a fold demands with those that the log has, and gives the latter new ids.

    With its old id, a forwarded event could later be taken for the duplicate of another one, whose id contains the same
    number as an offset of the new log.
    """

    def __init__(self, move: str) -> None:
        """`move` is different for each copy of a log. It has no colon."""
        self._prefix = f"{_MOVED}{move}:"
        self._demanded: defaultdict[_Forward, list[tuple[ForwardTrigger, int]]] = defaultdict(list)
        self._arrived: Counter[_Forward] = Counter()

    def rename(self, uid: str, event: Event) -> Event:
        """Returns a forwarded event with a new id, and any other event as it is. Raises CallError for a long id."""
        parsed = _parse(event)
        if parsed is None or event.id is None:
            return event
        original, (origin, number), fired = parsed
        forward = _Forward(origin, number, uid, fired.trigger, fired.kwargs)
        if pairs := self._demanded.get(forward):
            pairs.pop(0)
            if not pairs:
                del self._demanded[forward]
        else:
            self._arrived[forward] += 1
        if len(self._prefix + original) > _MAX_ID:
            raise CallError(f"the UID of session {origin[:80]!r}… is too long: the id of what it forwards has no room")
        return replace(event, id=self._prefix + original)

    def demand(self, uid: str, record: Record, forwards: Sequence[ForwardTrigger]) -> None:
        """Adds what the rules of a session forward because of a record."""
        count = count_forwards(record) + 1
        if count > MAX_FORWARDS:  # the workers made dead letters of them
            return
        for number, each in enumerate(forwards):
            forward = _Forward(uid, number, each.session, each.trigger, each.kwargs)
            if self._arrived[forward]:
                self._arrived -= Counter([forward])
            else:
                self._demanded[forward].append((each, count))

    def missing(self) -> list[tuple[ForwardTrigger, int]]:
        """Returns the forwards that the log does not have, each with the number of forwards that led to it."""
        return [pair for pairs in self._demanded.values() for pair in pairs]


def _parse(event: Event) -> tuple[str, tuple[str, int], TriggerFired] | None:
    """Returns the original id of a forwarded event, who forwarded it, and the event; or None."""
    if not isinstance(event, TriggerFired) or event.id is None:
        return None
    original = event.id.split(":", 2)[-1] if event.id.startswith(_MOVED) else event.id
    origin = parse_forward_id(original)
    return None if origin is None else (original, origin, event)
