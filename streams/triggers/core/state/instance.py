"""An instance, which is one execution slot of a task, in its stored form."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct, field

from triggers.core.contribution import Contribution
from triggers.core.statuses import RESOLVED, UNSTARTED

Payload = int | bytes
"""A payload as headers and instances hold it: the bytes themselves if the payload is small or only one instance holds
it, otherwise the number of its row."""

SMALL: Final = 64
"""Maximum size in bytes of a payload without a row. A row costs the agent about 3 µs (docs/performance.md)."""


class Instance(
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
    },
):
    """The row of an instance. The key of the row holds its task and number."""

    sequence: int
    """Number among all instances of the session in the order of creation, counted from 0."""
    created: int
    status: str = UNSTARTED
    kwargs: dict[str, Payload] = field(default_factory=dict)
    """Trigger -> payload. While the instance waits, its cohort may hold further kwargs for it."""
    unless_seen: list[str] = field(default_factory=list)
    """Triggers of `unless` that have fired (the abandon state), sorted."""
    attempt: int = 0
    """Number of the current attempt, or 0 before the first one."""
    attempt_closed: bool = False
    """True if the current attempt is closed: it has its result or was given up."""
    configuration: bytes = b""
    """Hash of the configuration under which its command was issued."""
    modified: int = 0
    stamps: dict[str, int] = field(default_factory=dict)
    """Status -> time when it was last set."""
    metadata: dict[str, bytes] = field(default_factory=dict)
    """Key -> JSON value."""
    result: Payload | None = None
    """Result of the finished task, or the simulated result of a skipped one."""
    depth: int = 0
    """Number of replays, retries and clones between this instance and the first."""
    parent: int = -1
    """Number of the instance that it replays or copies, or -1."""
    due: int = 0
    """Time when its cooldown ends and its command is issued, or 0 if it has no cooldown."""
    cascade_depth: int = 0
    """Number of results in a row, without an event from outside, that led to its being scheduled."""

    deadline: int = 0
    """Time when its attempt is overdue, or 0 if it has no timeout."""
    held: dict[str, list[Contribution]] | None = None
    """Contributions that the instance alone holds while it waits under a rule of edition 2; its group has the rest."""
    timers: dict[str, int] | None = None
    """Due times by kind of timer, in edition 2."""
    delayed_at: int = 0
    """When it became `delayed`, or 0 if it never did."""
    queue: str | None = None
    """Queue of the command of its current attempt."""
    spans: bytes = b""
    """Spans of the events behind the instance whose traces are sampled, as `trace_context` joins them. While it waits,
    its cohort or group may hold further ones."""

    @property
    def resolved(self) -> bool:
        """True if nothing waits for the instance any more."""
        return self.status in RESOLVED

    def awaits(self, attempt: int) -> bool:
        """Returns whether a result of that attempt is still expected; 0 stands for the current attempt."""
        return self.attempt > 0 and not self.attempt_closed and attempt in (0, self.attempt)


encode_instance = msgspec.msgpack.Encoder().encode
decode_instance = msgspec.msgpack.Decoder(Instance).decode
