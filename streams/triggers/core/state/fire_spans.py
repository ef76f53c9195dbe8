"""The spans of a session's latest fires, from which an instance learns which events led to it.

Every fire of a session that has any spans is recorded, also one without a span, so that an instance is never linked to
another fire than the one whose kwargs it holds. A fire has a *mark*. In edition 1 this is the number of instances that
the session had before it; in edition 2 it is the fire's own number, which contributions have, too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

MAX_TRIGGERS: Final = 16
"""Maximum number of triggers whose fires are recorded. The one that was fired least recently is forgotten."""
MAX_FIRES: Final = 4
"""Maximum number of fires that are recorded of a trigger."""

Fires = list[tuple[int, bytes]]
"""Mark and span of each fire of a trigger, in order. The span is empty if the fire has none, or is forgotten."""
FireSpans = dict[str, Fires]
"""Trigger -> its fires, the trigger that was fired last at the end."""

_FORGOTTEN: Final = (-1, b"")


def record_span(spans: FireSpans, trigger: str, mark: int, span: bytes, *, was_fired: bool) -> None:
    """Records a fire. `was_fired` says whether the trigger was fired before, possibly when nothing was recorded."""
    fires = spans.pop(trigger, None)
    if fires is None:
        fires = [_FORGOTTEN] if was_fired else []
    fires.append((mark, span))
    if len(fires) > MAX_FIRES:
        fires = [(fires[1][0], b""), *fires[2:]]
    spans[trigger] = fires
    if len(spans) > MAX_TRIGGERS:
        del spans[next(iter(spans))]


def spans_of_instance(spans: FireSpans, sequence: int, triggers: Iterable[str]) -> bytes:
    """Returns the spans of the fires that an instance of edition 1 holds; `sequence` is its number in the session."""
    held = [_held_fire(fires, sequence) for trigger in triggers if (fires := spans.get(trigger))]
    return b"".join([span for _, span in sorted(held)])


def spans_of_fires(spans: FireSpans, marks: Collection[int]) -> bytes:
    """Returns the spans of the fires with these marks, in their order."""
    found = [fire for fires in spans.values() for fire in fires if fire[0] in marks]
    return b"".join([span for _, span in sorted(found)])


def _held_fire(fires: Fires, sequence: int) -> tuple[int, bytes]:
    """Returns the fire whose kwargs an instance holds: the latest before its creation, otherwise the first after it."""
    before = [fire for fire in fires if fire[0] <= sequence]
    return before[-1] if before else fires[0]
