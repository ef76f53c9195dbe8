"""The events that `$forward` fired, in a copied log. Their ids contain offsets of their causes, which change there."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from msgspec.structs import replace

from triggers.agent.turns.forwards import MAX_FORWARDS, count_forwards
from triggers.codec.event_shapes import MAX_NAME_CHARACTERS
from triggers.core.commands import ForwardTrigger
from triggers.core.edition_2_fires import parse_forward_id
from triggers.core.events import Event, TriggerFired
from triggers.errors import CallError
from triggers.kafka.records import Record

_MOVED = "moved:"


class _Forward(NamedTuple):
    """The fields by which a `$forward` in the log is matched with one that the rules demand."""

    origin: str
    number: int
    session: str
    trigger: str
    kwargs: bytes


class MovedForwards:
    """Matches the `$forward`s that a fold demands with those that the log has, and gives the latter new ids.

    With its old id, a forwarded event could later be taken for the duplicate of another one, whose id contains the same
    number as an offset of the new log.
    """

    def __init__(self, move: str) -> None:
        """`move` is different for each copy of a log. It has no colon."""
        self._prefix = f"{_MOVED}{move}:"
        self._demanded: defaultdict[_Forward, list[tuple[ForwardTrigger, int]]] = defaultdict(list)
        self._arrived: Counter[_Forward] = Counter()

    def rename(self, uid: str, event: Event) -> Event:
        """Returns the event; one that `$forward` fired gets a new id. Raises CallError for a long id."""
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
        if len(self._prefix + original) > MAX_NAME_CHARACTERS:
            raise CallError(f"the UID of session {origin[:80]!r}… is too long: the id of what it forwards has no room")
        return replace(event, id=self._prefix + original)

    def demand(self, uid: str, record: Record, forwards: Sequence[ForwardTrigger]) -> None:
        """Adds what the rules of a session `$forward` because of a record."""
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
        """Returns the `$forward`s that the log does not have, each with the number of `$forward`s that led to it."""
        return [pair for pairs in self._demanded.values() for pair in pairs]


def _parse(event: Event) -> tuple[str, tuple[str, int], TriggerFired] | None:
    """Returns the original id of an event that `$forward` fired, who fired it, and the event; or None."""
    if not isinstance(event, TriggerFired) or event.id is None:
        return None
    original = event.id.split(":", 2)[-1] if event.id.startswith(_MOVED) else event.id
    origin = parse_forward_id(original)
    return None if origin is None else (original, origin, event)
