"""A wait of the tests that fails reports the last values of its condition."""

from __future__ import annotations

import pytest
from tests.support.topic_reader import wait_until


def count_records(topic: str) -> int:
    return len(topic)


def test_a_failing_wait_reports_the_last_values_of_its_condition() -> None:
    topic = "events"

    with pytest.raises(AssertionError) as failed:
        wait_until(lambda: count_records(topic) == 7, "seven records are there", 0)

    assert str(failed.value).startswith("not within 0 s: seven records are there")
    assert "topic is events" in str(failed.value)
    assert "count_records() returned 6" in str(failed.value)


def test_a_long_value_is_truncated_to_its_end() -> None:
    log = "x" * 100_000 + "the worker ends"

    with pytest.raises(AssertionError) as failed:
        wait_until(lambda: "ready" in log, "it is ready", 0)

    assert len(str(failed.value)) < 2_000
    assert "xx" + "the worker ends" in str(failed.value)


def test_a_condition_that_holds_at_the_last_check_is_in_time() -> None:
    looks = iter([False, True])

    wait_until(lambda: next(looks), "the second look finds it", 0)
