"""A record to produce."""

from __future__ import annotations

from msgspec import Struct

from triggers.processing.records import Header


class Output(Struct, frozen=True, gc=False):
    """A record that the batch's transaction produces."""

    topic: str
    key: bytes | None
    value: bytes | None
    partition: int = -1
    """-1: the partition of the key."""
    headers: list[Header] | None = None
    time: int = 0
    """Milliseconds; 0: now."""
