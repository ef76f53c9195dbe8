"""Durations as people write them."""

from __future__ import annotations

import pytest

from triggers.core.durations import MAX_DURATION_MS, parse_duration
from triggers.errors import InvalidConfiguration


@pytest.mark.parametrize(
    ("written", "milliseconds"),
    [
        (90, 90_000),
        (1.5, 1_500),
        (0.0019, 1),
        (0.29, 290),
        ("500ms", 500),
        ("30s1m", 90_000),
        ("0h5s", 5_000),
        ("1w2d", 9 * 86_400_000),
        ("PT90S", 90_000),
        ("PT1.5S", 1_500),
        ("PT0,25S", 250),
        ("P2DT3H", 183_600_000),
        ("P1W", 604_800_000),
        ("3650d", MAX_DURATION_MS),
    ],
)
def test_a_duration_is_whole_milliseconds_in_every_notation(written: object, milliseconds: int) -> None:
    assert parse_duration(written, "'delay'") == milliseconds


@pytest.mark.parametrize(
    "written",
    [
        *("", "10", "1.5h", "1h 30m", "1m30s1m", "-5s", "5S", "P", "PT", "P1M", "P1Y", "1h30", "٣s", "PT1.S", "5s\n"),
        *(True, None, [], {}, float("nan"), float("inf"), 0, -5, 0.0009, 1e300, 10**400, "3650d1ms", "9" * 30 + "s"),
    ],
)
def test_an_invalid_duration_is_refused_with_its_value_and_the_valid_forms(written: object) -> None:
    with pytest.raises(InvalidConfiguration, match=r"^task 't': 'delay': .*write a number of seconds") as refused:
        parse_duration(written, "task 't': 'delay'")

    assert repr(written)[:80] in str(refused.value)
