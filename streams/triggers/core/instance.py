"""One execution slot of a task, as it is stored."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct, field

from triggers.core.statuses import RESOLVED, UNSTARTED

Payload = int | bytes
"""A payload as headers and instances hold it: itself (a small one, or kwargs that only one instance has), or the number
of its row."""

SMALL: Final = 64
"""Bytes of a payload that needs no row of its own: a row costs the agent about 3 µs (see docs/performance.md)."""


class Instance(
    Struct,
    gc=False,
    omit_defaults=True,
    rename={
        "sequence": "q",
        "status": "s",
        "kwargs": "k",
        "seen": "a",
        "attempt": "n",
        "configuration": "g",
        "created": "c",
        "modified": "m",
        "stamps": "t",
        "metadata": "d",
        "result": "r",
        "depth": "e",
        "parent": "p",
        "due": "u",
        "settled": "f",
        "cascade_depth": "o",
        "deadline": "l",
    },
):
    """Its task and number are in the row's key."""

    sequence: int
    """Place among all instances of the session, from 0."""
    created: int
    status: str = UNSTARTED
    kwargs: dict[str, Payload] = field(default_factory=dict)
    """Trigger -> payload. While the instance waits, its cohort may hold more."""
    seen: list[str] = field(default_factory=list)
    """Abandon state, sorted."""
    attempt: int = 0
    """Attempts issued so far."""
    settled: bool = False
    """Whether the current attempt has its result, or nobody waits for it any more."""
    configuration: bytes = b""
    """Hash of the configuration that its command was made under."""
    modified: int = 0
    stamps: dict[str, int] = field(default_factory=dict)
    """Status -> when it was set last."""
    metadata: dict[str, bytes] = field(default_factory=dict)
    """JSON values."""
    result: Payload | None = None
    """Payload that cascaded, or would have."""
    depth: int = 0
    parent: int = -1
    """Number of the instance it replays; -1: none."""
    due: int = 0
    """When its cooldown is over and its command issued; 0: it waits for none."""
    cascade_depth: int = 0
    """How many results in a row, without an event from outside, led to its being scheduled."""

    deadline: int = 0
    """When its attempt is overdue; 0: never."""

    @property
    def resolved(self) -> bool:
        """Whether nothing waits for it any more."""
        return self.status in RESOLVED

    def awaits(self, attempt: int) -> bool:
        """Whether a result of that attempt (0: the current one) counts."""
        return self.attempt > 0 and not self.settled and attempt in (0, self.attempt)


encode_instance = msgspec.msgpack.Encoder().encode
decode_instance = msgspec.msgpack.Decoder(Instance).decode
