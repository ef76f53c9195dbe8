"""Forwards of a copied log are matched with what the rules demand, and get ids that no later forward can have."""

from __future__ import annotations

from typing import cast

from confluent_kafka import Message

from triggers.core.commands import ForwardTrigger
from triggers.core.edition_2_fires import forward_id, parse_forward_id
from triggers.core.events import Event, TriggerFired
from triggers.kafka.records import Record
from triggers.recovery.moved_forwards import MovedForwards

CAUSE = cast("Record", Message(topic="t.events", partition=0, offset=7, value=b"{}"))


def forward(origin: str, position: int, number: int = 0) -> ForwardTrigger:
    return ForwardTrigger(session="other", trigger="paid", kwargs=b"{}", id=forward_id(origin, position, number))


def arrived(sent: ForwardTrigger) -> Event:
    return TriggerFired(trigger=sent.trigger, kwargs=sent.kwargs, id=sent.id)


def test_the_id_of_a_forward_names_its_session_whatever_characters_that_has() -> None:
    assert parse_forward_id(forward_id("a:b:7", 31, 2)) == ("a:b:7", 2)
    assert parse_forward_id("order-17") is None
    assert parse_forward_id("forward:mine") is None


def test_a_forward_that_the_log_has_is_not_missing_whichever_partition_is_read_first() -> None:
    moved = MovedForwards("m1")
    moved.demand("a", CAUSE, [forward("a", 3)])
    moved.rename("other", arrived(forward("a", 40)))
    moved.rename("other", arrived(forward("b", 41)))
    moved.demand("b", CAUSE, [forward("b", 4)])

    assert moved.missing() == []


def test_of_two_equal_forwards_the_one_that_was_not_sent_is_missing() -> None:
    moved = MovedForwards("m1")
    moved.demand("a", CAUSE, [forward("a", 3)])
    moved.rename("other", arrived(forward("a", 40)))
    moved.demand("a", CAUSE, [forward("a", 9)])

    assert moved.missing() == [(forward("a", 9), 1)]


def test_a_moved_forward_has_an_id_of_its_move_and_can_be_moved_again() -> None:
    first = MovedForwards("m1").rename("other", arrived(forward("a", 40)))
    again = MovedForwards("m2")
    again.demand("a", CAUSE, [forward("a", 3)])

    second = again.rename("other", first)

    assert (first.id, second.id) == ("moved:m1:forward:a:40:0", "moved:m2:forward:a:40:0")
    assert again.missing() == []


def test_an_event_that_nobody_forwarded_keeps_its_id() -> None:
    event = TriggerFired(trigger="paid", id="order-17")

    assert MovedForwards("m1").rename("other", event) is event
