"""What the guard lets pass, with a second reader whose answers the test chooses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import pytest
from tests.support.records import record

from triggers.agent.consumer.guard import Guard, WrongPosition
from triggers.kafka.expected_offsets import Gap
from triggers.kafka.gap_reader import GapReader
from triggers.kafka.pending_gaps import ExaminedGap, GapState
from triggers.kafka.records import Record
from triggers.process.exits import ExitCode, Stop
from triggers.telemetry.metrics import Metrics


class FixedGapReader:
    """A second reader that returns the same state for every gap."""

    def __init__(self, state: GapState) -> None:
        self.state = state
        self.asked: list[Gap] = []

    def prove(self, gaps: Sequence[Gap], within_s: float) -> list[ExaminedGap]:
        assert within_s > 0
        self.asked += gaps
        return [ExaminedGap(gap, self.state, "as told") for gap in gaps]


class Guarded:
    """A guard of partition 0, which is read from offset 10 on."""

    def __init__(self, state: GapState = GapState.SKIPPED) -> None:
        self.metrics = Metrics()
        self.gap_reader = FixedGapReader(state)
        self.guard = Guard(cast("GapReader", self.gap_reader), self.metrics, proof_s=1, pause_s=0.001)
        self.guard.start(0, 10)

    def read(self, *offsets: int) -> None:
        self.guard.check_records({0: records(*offsets)})

    def counted(self) -> dict[str, float]:
        """Returns the number of gaps by outcome, without those that have not happened."""
        samples = next(iter(self.metrics.gaps.collect())).samples
        counts = {sample.labels["outcome"]: sample.value for sample in samples if sample.name.endswith("_total")}
        return {outcome: number for outcome, number in counts.items() if number}


def records(*offsets: int) -> list[Record]:
    return [record(partition=0, offset=offset) for offset in offsets]


def test_contiguous_records_pass_without_a_second_reader() -> None:
    guarded = Guarded()
    guarded.read(10, 11)
    guarded.read(12)

    assert guarded.gap_reader.asked == []
    assert guarded.counted() == {}


def test_harmless_gaps_pass_and_are_counted() -> None:
    guarded = Guarded(GapState.HARMLESS)
    guarded.read(11, 13, 14)

    assert guarded.gap_reader.asked == [Gap(0, 10, 11), Gap(0, 12, 13)]
    assert guarded.counted() == {"harmless": 2}
    assert guarded.guard.next_of(0) == 15


@pytest.mark.parametrize("state", [GapState.SKIPPED, GapState.REMOVED, GapState.UNPROVEN])
def test_any_other_gap_is_refused(state: GapState) -> None:
    guarded = Guarded(state)

    with pytest.raises(WrongPosition) as refused:
        guarded.read(10, 12)

    assert refused.value.partitions == {0}
    assert guarded.counted() == {state.value: 1}


def test_records_that_come_again_are_refused() -> None:
    guarded = Guarded()
    guarded.read(10)

    with pytest.raises(WrongPosition):
        guarded.read(10)

    assert guarded.counted() == {"repeated": 1}


def test_a_gap_that_disappears_resets_the_count() -> None:
    guarded = Guarded()
    for _ in range(20):
        with pytest.raises(WrongPosition):
            guarded.read(11)
        guarded.guard.start(0, 10)
        guarded.read(10)
        guarded.guard.start(0, 10)


def test_a_persistent_gap_ends_the_worker_and_names_the_missing_offsets() -> None:
    guarded = Guarded()
    refusals = 0

    with pytest.raises(Stop) as ended:  # noqa: PT012  # the last of several refusals
        while refusals < 20:
            try:
                guarded.read(13)
            except WrongPosition:
                refusals += 1
                guarded.guard.start(0, 10)

    assert ended.value.code == ExitCode.SKIPPED
    assert "partition 0, offsets 10 to 12: as told" in ended.value.why
    assert 1 < refusals < 10


def test_positions_after_markers_are_accepted() -> None:
    guarded = Guarded(GapState.HARMLESS)

    assert guarded.guard.check_positions({0: 12}) == {0: 12}
    assert guarded.gap_reader.asked == [Gap(0, 10, 12, ends_at_record=False)]

    guarded.read(12)


def test_a_position_after_a_record_is_refused() -> None:
    with pytest.raises(WrongPosition):
        Guarded().guard.check_positions({0: 12})


def test_a_position_that_cannot_be_proved_is_left_out_and_checked_again_only_later() -> None:
    guarded = Guarded(GapState.UNPROVEN)

    assert guarded.guard.check_positions({0: 12}) == {}
    assert guarded.guard.check_positions({0: 12}) == {}
    assert len(guarded.gap_reader.asked) == 1
    guarded.read(10)


def test_refusals_of_a_revoked_partition_do_not_count_when_it_is_assigned_again() -> None:
    guarded = Guarded()
    with pytest.raises(WrongPosition):
        guarded.read(11)

    guarded.guard.forget([0])

    assert guarded.guard.refetches(0) == 0
    with pytest.raises(KeyError):
        guarded.guard.next_of(0)
