"""A partition whose gaps stay unproven is examined with pauses, and given up only if the broker answers."""

from __future__ import annotations

import pytest

from triggers.celery.gap_proofs import UnprovenGaps


@pytest.fixture
def gaps() -> UnprovenGaps:
    gaps = UnprovenGaps()
    gaps.record_unproven(1, now=100.0)
    return gaps


def test_an_unproven_gap_is_examined_again_after_a_pause(gaps: UnprovenGaps) -> None:
    assert [gaps.may_examine(1, now) for now in (100.0, 104.9, 105.0)] == [False, False, True]
    assert gaps.may_examine(2, now=100.0)


def test_a_gap_is_given_up_after_the_patience_if_the_broker_delivers_records(gaps: UnprovenGaps) -> None:
    gaps.record_delivery(1)
    gaps.record_unproven(1, now=390.0)

    assert [gaps.is_hopeless(1, now) for now in (400.0, 400.1)] == [False, True]
    assert not gaps.is_hopeless(2, now=1000.0)


def test_a_gap_is_not_given_up_while_the_broker_delivers_nothing(gaps: UnprovenGaps) -> None:
    assert not gaps.is_hopeless(1, now=10_000.0)


def test_what_was_delivered_before_the_first_failed_proof_does_not_count() -> None:
    gaps = UnprovenGaps()
    gaps.record_delivery(1)
    gaps.record_unproven(1, now=100.0)

    assert not gaps.is_hopeless(1, now=1000.0)


def test_a_proof_starts_the_patience_again(gaps: UnprovenGaps) -> None:
    gaps.forget(1)
    gaps.record_unproven(1, now=500.0)
    gaps.record_delivery(1)

    assert not gaps.is_hopeless(1, now=600.0)
    assert gaps.is_hopeless(1, now=801.0)
