"""Two readings of a range are compared: if one lacks a record, it is noticed, whatever their pace."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triggers.kafka.twin_readings import ReadingsDiffer, TwinReading

END = 100


def read(first: list[int], second: list[int], chance: random.Random) -> TwinReading:
    """Passes on what both have read, in chunks of any size and in any order."""
    twin, left = TwinReading(0, END), [list(first), list(second)]
    ended = [False, False]
    while not all(ended):
        reader = chance.randrange(2)
        size = chance.randint(1, 20)
        chunk, left[reader] = left[reader][:size], left[reader][size:]
        if chunk:
            (twin.add_second if reader else twin.add_first)(chunk)
        elif not ended[reader]:
            ended[reader] = True
            (twin.end_second if reader else twin.end_first)(END)
    return twin


OFFSETS = st.sets(st.integers(0, END + 10)).map(sorted)


@given(OFFSETS, st.integers(0))
def test_two_equal_readings_verify_everything(offsets: list[int], seed: int) -> None:
    twin = read(offsets, offsets, random.Random(seed))  # noqa: S311  # repeatable

    assert twin.is_complete
    assert twin.verified == max((offset for offset in offsets if offset < END), default=None)


@given(OFFSETS, st.data(), st.booleans(), st.integers(0))
def test_records_that_only_one_reader_has_read_are_noticed(
    offsets: list[int], data: st.DataObject, of_first: bool, seed: int
) -> None:
    before_end = [offset for offset in offsets if offset < END]
    missing = data.draw(st.sets(st.sampled_from(before_end), min_size=1)) if before_end else set()
    less = [offset for offset in offsets if offset not in missing]
    readings = (less, offsets) if of_first else (offsets, less)

    if not missing:
        return
    with pytest.raises(ReadingsDiffer) as differ:
        read(*readings, random.Random(seed))  # noqa: S311  # repeatable
    assert differ.value.offset in missing


def test_a_record_is_verified_only_when_both_readers_have_found_it() -> None:
    twin = TwinReading(0, END)

    twin.add_first([1, 2, 5, 9])
    twin.add_second([1, 2])

    assert twin.verified == 2
    assert not twin.is_complete


def test_records_beyond_the_range_are_ignored() -> None:
    twin = TwinReading(0, END)

    twin.add_first([1, END + 1])
    twin.add_second([1])
    twin.end_second(END)

    assert twin.is_complete
    assert twin.verified == 1
