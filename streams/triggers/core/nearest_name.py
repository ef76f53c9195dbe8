"""Suggests the nearest known name in messages about an unknown one."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def suggestion(name: str, known: Iterable[str]) -> str:
    """Returns `; did you mean 'delay'?`, or nothing if no known name is near."""
    folded = {candidate.casefold(): candidate for candidate in sorted(known)}
    near = get_close_matches(name.casefold()[:64], folded, n=1)
    return f"; did you mean {folded[near[0]]!r}?" if near else ""
