"""The stored form of an instance."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct, field

from triggers.core.contribution import Contribution
from triggers.core.state.instance import Payload
from triggers.core.statuses import UNSTARTED


class StoredInstance(
    Struct,
    gc=False,
    omit_defaults=True,
    rename={
        "sequence": "q",
        "status": "s",
        "kwargs": "k",
        "unless_seen": "a",
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
        "attempt_closed": "f",
        "cascade_depth": "o",
        "deadline": "l",
        "held": "h",
        "timers": "w",
        "delayed_at": "y",
        "queue": "z",
        "spans": "b",
        "fired": "v",
    },
):
    """The row of an `Instance`, whose fields it has in the same order: a map of those that are not as in a new one."""

    sequence: int
    created: int
    status: str = UNSTARTED
    kwargs: dict[str, Payload] = field(default_factory=dict)
    unless_seen: list[str] = field(default_factory=list)
    attempt: int = 0
    attempt_closed: bool = False
    configuration: bytes = b""
    modified: int = 0
    stamps: dict[str, int] = field(default_factory=dict)
    metadata: dict[str, bytes] = field(default_factory=dict)
    result: Payload | None = None
    depth: int = 0
    parent: int = -1
    due: int = 0
    cascade_depth: int = 0
    deadline: int = 0
    held: dict[str, list[Contribution]] | None = None
    timers: dict[str, int] | None = None
    delayed_at: int = 0
    queue: str | None = None
    spans: bytes = b""
    fired: list[int] | None = None


decode_stored_instance: Final = msgspec.msgpack.Decoder(StoredInstance).decode
