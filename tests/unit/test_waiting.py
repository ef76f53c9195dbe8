"""The tests' own waiting: a wait that fails says what it has seen."""

from __future__ import annotations

import pytest
from tests.support.topic_reader import wait_until


def count_records(topic: str) -> int:
    return len(topic)


def test_a_failing_wait_tells_the_values_that_its_condition_saw_last() -> None:
    topic = "events"

    with pytest.raises(AssertionError) as failed:
        wait_until(lambda: count_records(topic) == 7, "seven records are there", 0)

    assert str(failed.value).startswith("not within 0 s: seven records are there")
    assert "topic is events" in str(failed.value)
    assert "count_records() returned 6" in str(failed.value)


def test_of_a_long_value_the_end_is_told() -> None:
    log = "x" * 100_000 + "the worker ends"

    with pytest.raises(AssertionError) as failed:
        wait_until(lambda: "ready" in log, "it is ready", 0)

    assert len(str(failed.value)) < 2_000
    assert "xx" + "the worker ends" in str(failed.value)


def test_what_comes_true_with_the_last_look_is_in_time() -> None:
    looks = iter([False, True])

    wait_until(lambda: next(looks), "the second look finds it", 0)
