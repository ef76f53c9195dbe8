"""An operator's event says who caused it, in every format and in words."""

from __future__ import annotations

import pytest

from triggers.analysis.explain.event_words import words_of
from triggers.codec import EventDecoder, encode_event
from triggers.codec.event_lines import decode_line, encode_line
from triggers.core.events import (
    AdoptionRequested,
    CancelRequested,
    ConfigurationUpdated,
    DeletionRequested,
    Event,
    ReplayRequested,
    SkipRequested,
    StatusSet,
    TriggerFired,
    actor_of,
    with_actor,
)

EVENTS: list[tuple[Event, str]] = [
    (ReplayRequested(instance="t#0"), "jane replayed t#0"),
    (CancelRequested(instance="t#0"), "jane cancelled t#0"),
    (AdoptionRequested(name="order", version=3), "jane let the session adopt version 3 of 'order'"),
    (SkipRequested(instance="t#0"), "jane skipped t#0"),
    (StatusSet(instance="t#0", status="finished"), "jane set t#0 to finished"),
    (ConfigurationUpdated(configuration=b'{"t": {"run": "t"}}'), "rules were set for t by jane"),
    (DeletionRequested(), "the session was deleted by jane"),
]


@pytest.mark.parametrize(("event", "words"), EVENTS)
def test_an_actor_is_recorded_and_reported(event: Event, words: str) -> None:
    signed = with_actor(event, "jane")

    assert words_of(signed) == words
    assert EventDecoder(1000).decode(encode_event(signed), None, 0, 0) == signed
    assert decode_line(encode_line("s", signed), 0) == ("s", signed)


@pytest.mark.parametrize(("event", "words"), EVENTS)
def test_an_event_without_an_actor_is_as_before(event: Event, words: str) -> None:
    assert actor_of(event) is None
    assert "jane" not in words_of(event)
    assert b"actor" not in encode_line("s", event)
    assert words


def test_an_actor_is_kept_and_only_operators_events_have_one() -> None:
    assert actor_of(with_actor(ReplayRequested(instance="t#0", actor="joe"), "jane")) == "joe"
    assert with_actor(TriggerFired(trigger="a"), "jane") == TriggerFired(trigger="a")
    assert with_actor(DeletionRequested(), "") == DeletionRequested()
