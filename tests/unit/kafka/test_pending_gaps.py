"""The state of a gap follows from what a second reader finds at its offsets."""

from __future__ import annotations

from triggers.kafka.expected_offsets import Gap
from triggers.kafka.pending_gaps import GapState, PendingGaps


def states(pending: PendingGaps) -> dict[tuple[int, int], GapState]:
    """Returns the state of each gap, by partition and first missing offset."""
    return {(each.gap.partition, each.gap.first_missing): each.state for each in pending.examined}


def test_a_gap_before_the_next_record_is_harmless() -> None:
    pending = PendingGaps([Gap(0, 5, 8)])
    pending.find_record(0, 8)

    assert states(pending) == {(0, 5): GapState.HARMLESS}
    assert pending.positions() == {}


def test_a_record_in_a_gap_was_skipped() -> None:
    pending = PendingGaps([Gap(0, 5, 8)])
    pending.find_record(0, 7)

    assert states(pending) == {(0, 5): GapState.SKIPPED}
    assert "offset 7" in pending.examined[0].detail


def test_gaps_of_several_partitions_are_judged_in_one_pass() -> None:
    pending = PendingGaps([Gap(1, 0, 2), Gap(0, 5, 6), Gap(0, 7, 8), Gap(0, 9, 12)])

    assert pending.positions() == {0: 5, 1: 0}

    for partition, offset in [(0, 6), (1, 1), (0, 8), (0, 10)]:
        pending.find_record(partition, offset)

    assert states(pending) == {
        (0, 5): GapState.HARMLESS,
        (0, 7): GapState.HARMLESS,
        (0, 9): GapState.SKIPPED,
        (1, 0): GapState.SKIPPED,
    }


def test_records_between_gaps_do_not_affect_the_states() -> None:
    pending = PendingGaps([Gap(0, 5, 6), Gap(0, 9, 10)])
    for offset in (6, 7, 8):
        pending.find_record(0, offset)

    assert states(pending) == {(0, 5): GapState.HARMLESS}
    assert pending.positions() == {0: 9}


def test_a_gap_whose_next_record_is_missing_is_unproven() -> None:
    pending = PendingGaps([Gap(0, 5, 8), Gap(0, 9, 11)])
    pending.find_record(0, 10)
    pending.reach(0, 12)

    assert states(pending) == {(0, 5): GapState.UNPROVEN, (0, 9): GapState.SKIPPED}


def test_the_state_waits_for_the_record_at_the_position() -> None:
    pending = PendingGaps([Gap(0, 5, 8)])
    pending.reach(0, 8)

    assert pending.examined == []

    pending.reach(0, 9)

    assert states(pending) == {(0, 5): GapState.UNPROVEN}


def test_a_gap_up_to_a_position_is_harmless_when_the_position_is_reached() -> None:
    pending = PendingGaps([Gap(0, 5, 8, ends_at_record=False)])
    pending.reach(0, 7)

    assert pending.examined == []

    pending.reach(0, 8)

    assert states(pending) == {(0, 5): GapState.HARMLESS}


def test_a_record_beyond_a_position_shows_that_nothing_was_before_it() -> None:
    pending = PendingGaps([Gap(0, 5, 8, ends_at_record=False)])
    pending.find_record(0, 20)

    assert states(pending) == {(0, 5): GapState.HARMLESS}


def test_offsets_before_the_log_are_removed_and_the_rest_is_read() -> None:
    pending = PendingGaps([Gap(0, 0, 2), Gap(0, 3, 8), Gap(0, 9, 12)])
    pending.begin_at(0, 5)

    assert pending.positions() == {0: 5}

    pending.find_record(0, 8)
    pending.find_record(0, 12)

    assert states(pending) == {(0, 0): GapState.REMOVED, (0, 3): GapState.REMOVED, (0, 9): GapState.HARMLESS}


def test_a_record_found_in_a_gap_outweighs_removed_ones() -> None:
    pending = PendingGaps([Gap(0, 3, 8)])
    pending.begin_at(0, 5)
    pending.find_record(0, 6)

    assert states(pending) == {(0, 3): GapState.SKIPPED}


def test_a_gap_that_is_not_read_is_unproven() -> None:
    pending = PendingGaps([Gap(0, 5, 8), Gap(1, 0, 1)])
    pending.find_record(1, 1)
    pending.give_up("no time")

    assert states(pending) == {(0, 5): GapState.UNPROVEN, (1, 0): GapState.HARMLESS}
    assert str(pending.examined[-1]) == "partition 0, offsets 5 to 7: no time"
