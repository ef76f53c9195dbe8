"""The timeline of a session: its events, what each did, and who caused it."""

from __future__ import annotations

from msgspec import Struct

from triggers.analysis.explain.event_words import words_of
from triggers.analysis.explain.explanation import EventProof
from triggers.analysis.explain.explanation_text import event_sentences
from triggers.analysis.explain.proofs import explain
from triggers.codec.event_shapes import wire_name
from triggers.core.commands import Outcome
from triggers.core.events import Event, actor_of


class TimelineEvent(Struct, frozen=True, kw_only=True):
    """An event of a session and what it did."""

    offset: int
    time: int
    """Milliseconds since 1970-01-01 UTC."""
    type: str
    """The kind of the event, as in plain JSON: `fire`, `finished`, `replay`, …"""
    what: str
    """The event in words."""
    id: str | None
    source: str | None
    """Producer of the event."""
    actor: str | None
    """The operator who caused the event, or None if it is no operation."""
    outcome: Outcome | None
    """Its outcome, or None if the session refused it."""
    effects: list[str]
    """Its effect, or the reason why it had none, in words."""


class Timeline(Struct, frozen=True, kw_only=True):
    """Events of a session in the order in which they were applied."""

    session: str
    events: list[TimelineEvent]
    next: int | None
    """`after` of the next page, or None if this is the last one."""


def timeline_of(uid: str, events: list[Event], after: int, limit: int) -> Timeline:
    """Returns the timeline of a session after an offset. Folds all events, because effects depend on earlier ones."""
    proofs = explain(uid, events).events
    page = [pair for pair in zip(events, proofs, strict=True) if pair[0].position > after]
    entries = [_entry(event, proof) for event, proof in page[:limit]]
    more = entries[-1].offset if len(page) > limit else None
    return Timeline(session=uid, events=entries, next=more)


def _entry(event: Event, proof: EventProof) -> TimelineEvent:
    return TimelineEvent(
        offset=event.position,
        time=event.time,
        type=wire_name(type(event)),
        what=words_of(event),
        id=event.id,
        source=event.source,
        actor=actor_of(event),
        outcome=proof.outcome,
        effects=list(event_sentences(proof)),
    )
