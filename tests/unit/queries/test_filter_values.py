"""The values of filters are parsed, and refused, in one way for the command line, the console and the API."""

from __future__ import annotations

import pytest

from triggers.core.published_rules import MAX_VERSION
from triggers.errors import CallError
from triggers.queries.filter_values import parse_rules, time_before


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("orders", ("orders", None)),
        ("orders@3", ("orders", 3)),
        ("or@ders@12", ("or@ders", 12)),
        (f"orders@{MAX_VERSION}", ("orders", MAX_VERSION)),
    ],
)
def test_rules_have_a_name_and_perhaps_a_version(text: str, rules: tuple[str, int | None]) -> None:
    assert parse_rules(text) == rules


@pytest.mark.parametrize("version", ["", "new", "0", "-1", "+1", "1.0", " 1", "٣", str(MAX_VERSION + 1), "9" * 5_000])
def test_a_version_that_cannot_exist_is_refused(version: str) -> None:
    with pytest.raises(CallError, match=r"rules are 'orders@.*from 1 to 2147483647, as in orders@3") as refused:
        parse_rules(f"orders@{version}")

    assert len(str(refused.value)) < 400


def test_a_length_of_time_counts_back_to_1970_at_most() -> None:
    assert time_before(5_000, 3_000) == 2_000
    assert time_before(5_000, 9_000) == 0
    assert time_before(5_000, None) is None
