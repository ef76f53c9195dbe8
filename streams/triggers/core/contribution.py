"""An event as leaves of conditions hold it."""

from __future__ import annotations

from typing import Final

from msgspec import Struct


class Contribution(Struct, frozen=True, array_like=True, omit_defaults=True, gc=False):
    """An event that a leaf holds, or a candidate."""

    kwargs: bytes
    """JSON object."""
    clock: int
    """The session's clock when the trigger was fired."""
    order: int
    """Its place among all the session's fires."""
    key: bytes = b""
    """What `distinct` gave: equal for equal values."""
    time: int = 0
    """The event's own time, its id and its source: what a `when` may look at later."""
    id: str | None = None
    source: str | None = None


PRIVATE: Final = Contribution(b"", 0, -1)
"""Stands, in what a group of instances holds, for a contribution that each of them holds of its own."""
