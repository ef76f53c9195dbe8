"""The records that became dead letters are recognised by their coordinates, or by their content in a mirror."""

from __future__ import annotations

from typing import cast

import pytest
from confluent_kafka import Message

from triggers.codec import DeadLetter
from triggers.errors import CallError
from triggers.kafka.records import Record
from triggers.recovery.refused_events import RefusedEvents

TOPIC = "t.events"


def letter(offset: int, value: bytes, topic: str = TOPIC) -> DeadLetter:
    return DeadLetter(topic=topic, partition=0, offset=offset, time=1, reason="bad json", key=b"s1", value=value)


def record(offset: int, value: bytes) -> Record:
    return cast("Record", Message(topic=TOPIC, partition=0, offset=offset, key=b"s1", value=value))


def test_the_record_at_the_coordinates_of_a_letter_was_refused() -> None:
    refused = RefusedEvents([letter(7, b"a")], TOPIC)

    assert [refused.match_next(record(6, b"a")), refused.match_next(record(7, b"a"))] == [False, True]


def test_another_record_at_the_coordinates_of_a_letter_shows_a_mirror() -> None:
    with pytest.raises(CallError, match="add --mirrored"):
        RefusedEvents([letter(7, b"a")], TOPIC).match_next(record(7, b"b"))


def test_in_a_mirror_as_many_records_of_a_content_were_refused_as_there_are_letters() -> None:
    refused = RefusedEvents([letter(7, b"a", "old.events"), letter(9, b"a", "old.events")], TOPIC, is_mirror=True)

    taken = [refused.match_next(record(offset, value)) for offset, value in enumerate((b"b", b"a", b"a", b"a", b"b"))]

    assert taken == [False, True, True, False, False]


def test_without_letters_nothing_was_refused() -> None:
    assert not RefusedEvents([], TOPIC).match_next(record(0, b"a"))
