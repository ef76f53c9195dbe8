"""Gaps between offsets are reported, repeated offsets are refused, and contiguous offsets pass."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triggers.kafka.expected_offsets import ExpectedOffsets, Gap, OutOfOrder


def started(**offsets: int) -> ExpectedOffsets:
    """Starts to read the partitions 0, 1, … at these offsets."""
    expected = ExpectedOffsets()
    for name, offset in offsets.items():
        expected.start(int(name.removeprefix("p")), offset)
    return expected


def test_contiguous_offsets_have_no_gap() -> None:
    expected = started(p0=7)

    assert expected.advance(0, [7, 8, 9]) == []
    assert expected.advance(0, [10]) == []
    assert expected.next_of(0) == 11


def test_no_offsets_change_nothing() -> None:
    expected = started(p0=7)

    assert expected.advance(0, []) == []
    assert expected.next_of(0) == 7


@pytest.mark.parametrize(
    ("offsets", "gaps"),
    [
        pytest.param([9, 10], [Gap(0, 7, 9)], id="before the first"),
        pytest.param([7, 9], [Gap(0, 8, 9)], id="of one"),
        pytest.param([7, 1_000], [Gap(0, 8, 1_000)], id="of many"),
        pytest.param([8, 10, 12], [Gap(0, 7, 8), Gap(0, 9, 10), Gap(0, 11, 12)], id="before each"),
    ],
)
def test_missing_offsets_are_reported_as_gaps(offsets: list[int], gaps: list[Gap]) -> None:
    expected = started(p0=7)

    assert expected.advance(0, offsets) == gaps
    assert expected.next_of(0) == offsets[-1] + 1


@pytest.mark.parametrize(
    "offsets",
    [
        pytest.param([6], id="delivered before"),
        pytest.param([7, 7], id="twice"),
        pytest.param([7, 9, 8, 10], id="exchanged, first and last as if contiguous"),
        pytest.param([-1], id="none at all"),
    ],
)
def test_repeated_offsets_are_refused_and_nothing_advances(offsets: list[int]) -> None:
    expected = started(p0=7)

    with pytest.raises(OutOfOrder, match="partition 0"):
        expected.advance(0, offsets)

    assert expected.next_of(0) == 7


def test_partitions_are_independent() -> None:
    expected = started(p0=0, p1=50)

    assert expected.advance(1, [50]) == []
    assert expected.advance(0, [1]) == [Gap(0, 0, 1)]


def test_a_partition_that_is_not_read_has_no_next_offset() -> None:
    expected = started(p0=0, p1=0)
    expected.forget([0, 5])

    with pytest.raises(KeyError):
        expected.advance(0, [0])

    assert expected.advance(1, [0]) == []


def test_after_a_new_start_the_same_offsets_come_again() -> None:
    expected = started(p0=7)
    expected.advance(0, [7, 8])
    expected.start(0, 7)

    assert expected.advance(0, [7, 8]) == []


def test_a_position_beyond_the_last_record_is_a_gap_without_a_next_record() -> None:
    expected = started(p0=7)

    assert expected.advance_to(0, 7) == []
    assert expected.advance_to(0, 9) == [Gap(0, 7, 9, ends_at_record=False)]
    assert expected.advance(0, [9]) == []


def test_a_position_before_delivered_records_is_refused() -> None:
    with pytest.raises(OutOfOrder, match="position is 6"):
        started(p0=7).advance_to(0, 6)


@given(st.lists(st.integers(0, 200), unique=True, min_size=1).map(sorted), st.integers(0, 200))
def test_offsets_and_gaps_together_cover_everything_from_the_start(offsets: list[int], start: int) -> None:
    offsets = [offset for offset in offsets if offset >= start] or [start]

    gaps = started(p3=start).advance(3, offsets)

    missing = [offset for gap in gaps for offset in range(gap.first_missing, gap.next_seen)]
    assert sorted(missing + offsets) == list(range(start, offsets[-1] + 1))
    assert all(gap.first_missing < gap.next_seen for gap in gaps)


def test_a_gap_names_its_partition_and_offsets() -> None:
    assert str(Gap(3, 17, 18)) == "partition 3, offset 17"
    assert str(Gap(3, 17, 20)) == "partition 3, offsets 17 to 19"
