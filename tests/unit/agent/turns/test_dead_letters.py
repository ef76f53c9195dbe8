from __future__ import annotations

from tests.support.records import record

from triggers.agent.turns.dead_letters import BatchLetters
from triggers.codec import DeadLetter, Reason, decode_dead_letter


def test_a_dead_letter_holds_the_record_and_the_reason() -> None:
    letters = BatchLetters("test.dead-letters", 10_000)
    bad = record(b"\xff\x00", b"s1", partition=3, offset=42, headers=[("a", b"b"), ("c", None)], time=99)

    output = letters.encode_letter(bad, "bad json", "at byte 0")

    assert output.topic == "test.dead-letters"
    assert decode_dead_letter(output.value) == DeadLetter(
        reason="bad json",
        detail="at byte 0",
        topic="test.events",
        partition=3,
        offset=42,
        time=99,
        key=b"s1",
        value=b"\xff\x00",
        headers=[("a", b"b"), ("c", None)],
    )


def test_dead_letters_are_counted_by_reason() -> None:
    letters = BatchLetters("test.dead-letters", 10_000)

    for reason in ("bad json", "bad key", "bad json"):
        letters.encode_letter(record(), reason, "")

    assert letters.reasons == {"bad json": 2, "bad key": 1}


def test_a_dead_letter_too_large_for_its_topic_keeps_the_beginning_of_the_value_and_says_so() -> None:
    letters = BatchLetters("test.dead-letters", 20_000)
    huge = record(b"x" * 30_000, b"k" * 3_000)

    output = letters.encode_letter(huge, "bad json", "no object")

    letter = decode_dead_letter(output.value)
    assert len(output.value or b"") + len(output.key or b"") <= 20_000
    assert letter.value is not None
    assert letter.value == b"x" * len(letter.value)
    assert 5_000 < len(letter.value) < 20_000
    assert letter.detail == f"no object [the first {len(letter.value)} of the value's 30000 bytes are kept]"
    assert letter.missing == "part of the key, part of the value"


def test_headers_too_large_for_the_topic_are_left_out_and_counted() -> None:
    letters = BatchLetters("test.dead-letters", 20_000)
    huge = record(b"x", headers=[("small", b"1"), ("big", b"y" * 30_000)])

    letter = decode_dead_letter(letters.encode_letter(huge, "bad json", "").value)

    assert letter.headers == [("small", b"1")]
    assert letter.missing == "part of the value, headers"
    assert "1 headers are omitted because of their size" in letter.detail


def test_a_dead_letter_of_a_record_with_unreadable_headers_says_that_they_are_missing() -> None:
    letters = BatchLetters("test.dead-letters", 10_000)

    output = letters.encode_letter(record(b"x", headers=[("a", b"b")]), Reason.BAD_HEADERS, "not UTF-8")

    assert decode_dead_letter(output.value).headers == []
    assert decode_dead_letter(output.value).missing == "headers"
