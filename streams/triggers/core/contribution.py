"""`Contribution`: an event that a leaf of a condition holds."""

from __future__ import annotations

from typing import Final

from msgspec import Struct


class Contribution(Struct, frozen=True, array_like=True, omit_defaults=True, gc=False):
    """An event that a leaf holds, or a candidate."""

    kwargs: bytes
    """The kwargs as a JSON object."""
    clock: int
    """The session's clock when the trigger was fired."""
    order: int
    """The position of its fire among all fires of the session."""
    key: bytes = b""
    """The key of `distinct`, which is equal for equal values."""
    time: int = 0
    """The time of the event. A `when` may read it later, as well as the id and the source."""
    id: str | None = None
    source: str | None = None


PRIVATE: Final = Contribution(b"", 0, -1)
"""A placeholder in the contributions of a group: each of its instances has a contribution of its own there."""
