"""Which partitions stand still, and which are only slow or idle."""

from __future__ import annotations

from triggers.agent.consumer.standstill import FETCHED_AHEAD, QUIET_S, Standstills

PATIENCE_S = 5.0


def watching(**offsets: int) -> Standstills:
    """Makes a watch that has started at second 0."""
    standstills = Standstills()
    standstills.observe({int(name.removeprefix("p")): offset for name, offset in offsets.items()}, 0.0)
    return standstills


def test_partitions_that_move_are_not_checked() -> None:
    standstills = watching(p0=5)
    standstills.observe({0: 6}, QUIET_S)

    assert standstills.to_ask(QUIET_S) is None


def test_quiet_partitions_are_checked_one_after_the_other() -> None:
    standstills = watching(p0=5, p1=5)

    assert standstills.to_ask(QUIET_S) == 0

    standstills.stands_still(0, 5, QUIET_S, PATIENCE_S)

    assert standstills.to_ask(QUIET_S) == 1


def test_partitions_with_lag_are_checked_first() -> None:
    assert watching(p0=5, p1=5).to_ask(QUIET_S, lagging=[1]) == 1


def test_a_partition_at_its_end_does_not_stand_still() -> None:
    standstills = watching(p0=5)
    standstills.count_delivered(0, drained=True)

    assert not standstills.stands_still(0, 5, 10.0, PATIENCE_S)
    assert not standstills.stands_still(0, 5, 20.0, PATIENCE_S)


def test_a_partition_whose_next_record_is_not_delivered_although_no_other_waits_stands_still() -> None:
    standstills = watching(p0=5)

    assert not standstills.stands_still(0, 6, 10.0, PATIENCE_S)

    standstills.count_delivered(0, drained=True)

    assert not standstills.stands_still(0, 6, 14.0, PATIENCE_S)
    assert standstills.stands_still(0, 6, 15.0, PATIENCE_S)


def test_a_partition_whose_records_may_still_be_queued_does_not_stand_still_yet() -> None:
    standstills = watching(p0=5)
    standstills.stands_still(0, 6, 10.0, PATIENCE_S)
    standstills.count_delivered(FETCHED_AHEAD - 1, drained=False)

    assert not standstills.stands_still(0, 6, 60.0, PATIENCE_S)

    standstills.count_delivered(1, drained=False)

    assert standstills.stands_still(0, 6, 61.0, PATIENCE_S)


def test_a_partition_that_has_moved_is_watched_afresh() -> None:
    standstills = watching(p0=5)
    standstills.stands_still(0, 6, 10.0, PATIENCE_S)
    standstills.count_delivered(1, drained=True)
    standstills.observe({0: 6}, 11.0)

    assert standstills.to_ask(11.0) is None
    assert not standstills.stands_still(0, 9, 20.0, PATIENCE_S)


def test_a_partition_that_is_no_longer_read_is_forgotten() -> None:
    standstills = watching(p0=5, p1=5)
    standstills.observe({1: 5}, 1.0)

    assert standstills.to_ask(QUIET_S) == 1
