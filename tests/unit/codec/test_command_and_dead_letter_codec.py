"""Commands and dead letters survive encoding and decoding."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triggers.codec import DeadLetter, decode_command, decode_dead_letter, encode_command, encode_dead_letter
from triggers.core.commands import RunTask
from triggers.errors import Undecodable

TEXT = st.text(max_size=30)
NUMBER = st.integers(0, 2**31 - 1)
MAYBE_BYTES = st.none() | st.binary(max_size=30)

COMMANDS = st.builds(
    RunTask,
    session=TEXT,
    instance=TEXT,
    attempt=NUMBER,
    run=TEXT,
    kwargs=st.binary(max_size=30),
    using=st.none() | TEXT,
    depth=NUMBER,
    time=NUMBER,
)
LETTERS = st.builds(
    DeadLetter,
    reason=TEXT,
    detail=TEXT,
    topic=TEXT,
    partition=NUMBER,
    offset=NUMBER,
    time=NUMBER,
    key=MAYBE_BYTES,
    value=MAYBE_BYTES,
    headers=st.lists(st.tuples(TEXT, MAYBE_BYTES), max_size=3),
    missing=TEXT,
)
COMMAND = RunTask(session="s", instance="t#0", attempt=1, run="app.task")
LETTER = DeadLetter(reason="bad json", topic="t.events", partition=1, offset=2, time=3)


@settings(deadline=None)
@given(COMMANDS)
def test_a_command_survives_encoding_and_decoding(command: RunTask) -> None:
    assert decode_command(encode_command(command)) == command


@settings(deadline=None)
@given(LETTERS)
def test_a_dead_letter_survives_encoding_and_decoding(letter: DeadLetter) -> None:
    assert decode_dead_letter(encode_dead_letter(letter)) == letter


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([b"", encode_dead_letter(LETTER)[:10], encode_command(COMMAND)[:10]]), st.binary(max_size=50))
def test_arbitrary_bytes_are_a_record_or_undecodable(start: bytes, rest: bytes) -> None:
    for decode in (decode_command, decode_dead_letter):
        with suppress(Undecodable):
            assert isinstance(decode(start + rest), RunTask | DeadLetter)


@pytest.mark.parametrize("value", [None, b"", b"{}", b"\xc3\x01" + bytes(8), encode_dead_letter(LETTER)])
def test_bytes_that_are_not_a_command_are_undecodable(value: bytes | None) -> None:
    with pytest.raises(Undecodable):
        decode_command(value)


def test_the_detail_of_a_dead_letter_is_cut_and_escaped_so_that_it_can_always_be_written() -> None:
    letter = DeadLetter(reason="r", detail="\ud800" + "x" * 10_000, topic="t", partition=0, offset=0, time=0)

    detail = decode_dead_letter(encode_dead_letter(letter)).detail

    assert detail.startswith("\\ud800xxx")
    assert len(detail) == 4000
