from __future__ import annotations

from triggers.celery.record_rate import RecordRate


def test_the_rate_is_low_at_first() -> None:
    rate = RecordRate(100.0)
    rate.count += 1000

    assert rate.is_low(100.01)


def test_the_rate_follows_the_records_of_each_window() -> None:
    rate = RecordRate(100.0)

    rate.count += 100
    assert not rate.is_low(100.1)
    rate.count += 40
    assert rate.is_low(100.2)


def test_it_does_not_change_within_a_window() -> None:
    rate = RecordRate(100.0)
    rate.count += 100
    assert not rate.is_low(100.1)

    assert not rate.is_low(100.12)


def test_a_burst_after_a_quiet_hour_becomes_a_high_rate_in_the_next_window() -> None:
    rate = RecordRate(100.0)

    rate.count += 100
    assert rate.is_low(3700.0)
    rate.count += 100
    assert not rate.is_low(3700.05)
