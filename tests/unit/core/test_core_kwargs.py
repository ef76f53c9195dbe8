"""Kwargs as JSON bytes."""

from __future__ import annotations

from triggers.core.kwargs import object_of


def test_more_names_than_are_remembered_are_written_all_the_same() -> None:
    for number in range(25_000):
        assert object_of({f"n{number}": b"1"}) == b'{"n%d":1}' % number
