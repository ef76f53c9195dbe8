"""The hot row of a session, and the cohorts of its waiting instances."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from triggers.core.instance import Payload

VERSION = 4


class UnsharedRow(Struct, frozen=True, array_like=True, tag=0, gc=False):
    """A payload row that no instance refers to: the trigger's next kwargs may overwrite it."""

    number: int


class HeldByInstance(Struct, frozen=True, array_like=True, tag=1, gc=False):
    """An instance stores the kwargs in its own row."""

    task: str
    number: int


Latest = int | bytes | UnsharedRow | HeldByInstance
"""Where a trigger's latest kwargs are; a number is a payload row that instances refer to as well."""


class Cohort(Struct, array_like=True, gc=False):
    """Unstarted instances of one task that hold the same triggers: the rules cannot tell them apart."""

    have: list[str]
    """Triggers of which they hold kwargs, sorted."""
    seen: list[str]
    """Their abandon state, sorted."""
    fills: dict[str, Payload]
    """Kwargs (trigger -> payload) given to all of them since they came here; not in their own rows yet."""
    members: list[int]
    """Their numbers as ranges: start, stop, start, stop, … (see `cohorts`)"""


class TaskState(Struct, array_like=True, gc=False):
    """What a session knows of one task."""

    count: int = 0
    """Instances it ever had; the next one's number."""
    unresolved: int = 0
    cohorts: list[Cohort] = []


class Header(Struct, array_like=True, gc=False):
    """What nearly every event needs, and nothing that grows with the session. New fields go to the end."""

    version: int = VERSION
    configuration: bytes = b""
    """Hash of the configuration; empty: none."""
    tasks: dict[str, TaskState] = {}
    """The hot ones; the others are rows."""
    tasks_spilled: bool = False
    latest: dict[str, Latest] = {}
    """Latest kwargs by trigger, of the hot ones; the others are rows."""
    latest_spilled: bool = False
    payloads: int = 0
    """Number of the last payload row."""
    instances: int = 0
    """Instances of all tasks together."""
    unresolved: int = 0
    """Unresolved ones of all tasks together."""
    created: int = 0
    modified: int = 0
    events: int = 0
    tail: list[int] = []
    """Positions of the latest events; full chunks are sealed into rows."""
    chunks: int = 0
    ids: bytes = b""
    """Digests of the latest event ids; full chunks are sealed into rows."""
    id_chunks: int = 0
    last: int = 0
    """When the latest event came into the log; kept only with a `sessionTtl`."""
    wake: int = 0
    """When the session's own timer is due; 0: it has none."""
    deleted: bool = False
    """What is left of a deleted session: enough to know its late results."""
    sweeping: bool = False
    """Deleted, and some of its rows are still there."""
    past_attempts: int = 0
    """No attempt of an earlier session of this UID is above it."""


encode_header = msgspec.msgpack.Encoder().encode
decode_header = msgspec.msgpack.Decoder(Header).decode
