"""Kwargs are joined as JSON bytes."""

from __future__ import annotations

from triggers.core.kwargs import join_object


def test_more_names_than_the_cache_holds_are_encoded() -> None:
    for number in range(25_000):
        assert join_object({f"n{number}": b"1"}) == b'{"n%d":1}' % number
