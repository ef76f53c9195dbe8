from __future__ import annotations

from triggers.agent.consumer.ownership import Ownership


def test_a_partition_is_ready_once_it_is_recovered() -> None:
    ownership = Ownership()
    ownership.assign([1, 2])

    ownership.mark_restored({1: ownership.epochs_to_restore()[1]})

    assert ownership.owned == {1, 2}
    assert ownership.ready == {1}


def test_a_retained_partition_is_not_recovered_again() -> None:
    ownership = Ownership()
    ownership.assign([1])
    ownership.mark_restored(ownership.epochs_to_restore())

    ownership.assign([2])

    assert ownership.epochs_to_restore().keys() == {2}
    assert ownership.ready == {1}


def test_a_revoked_partition_is_neither_owned_nor_ready() -> None:
    ownership = Ownership()
    ownership.assign([1, 2])
    ownership.mark_restored(ownership.epochs_to_restore())

    ownership.revoke([1])

    assert ownership.owned == {2}
    assert ownership.ready == {2}


def test_the_recovery_of_an_earlier_assignment_makes_no_partition_ready() -> None:
    ownership = Ownership()
    ownership.assign([1])
    earlier = ownership.epochs_to_restore()
    ownership.revoke([1])
    ownership.assign([1])

    ownership.mark_restored(earlier)

    assert ownership.ready == frozenset()
    assert ownership.epochs_to_restore().keys() == {1}


def test_a_member_without_partitions_has_joined() -> None:
    ownership = Ownership()

    ownership.assign([])

    assert ownership.has_joined
    assert ownership.owned == frozenset()
