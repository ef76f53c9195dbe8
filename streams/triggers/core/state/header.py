"""The header, which is the hot row of a session, and the cohorts of its waiting instances."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from triggers.core.state.instance import Payload

VERSION: Final = 4


class UnsharedRow(Struct, frozen=True, array_like=True, tag=0, gc=False):
    """Latest kwargs in a payload row to which no instance refers. The trigger's next kwargs may overwrite it."""

    number: int


class HeldByInstance(Struct, frozen=True, array_like=True, tag=1, gc=False):
    """Latest kwargs that an instance stores in its own row."""

    task: str
    number: int


Latest = int | bytes | UnsharedRow | HeldByInstance
"""The stored form of a trigger's latest kwargs: the number of a payload row that instances refer to as well, the kwargs
themselves, or one of the two classes above."""


class Cohort(Struct, array_like=True, gc=False):
    """Unstarted instances of one task that hold the same triggers, so that the rules treat them alike."""

    have: list[str]
    """Triggers whose kwargs the members hold, sorted."""
    seen: list[str]
    """Triggers of `unless` that have fired for the members (their abandon state), sorted."""
    fills: dict[str, Payload]
    """Kwargs (trigger -> payload) that all members received in this cohort and that are not in their rows yet."""
    members: list[int]
    """The members' numbers as half-open ranges: start, stop, start, stop, …"""


class TaskState(Struct, array_like=True, gc=False):
    """The counts and cohorts of one task in a session."""

    count: int = 0
    """Number of instances that were ever created, which is the number of the next one."""
    unresolved: int = 0
    cohorts: list[Cohort] = []


class LastFire(Struct, array_like=True, gc=False):
    """When a trigger was last fired, and by which event. Its latest kwargs are in `Header.latest`."""

    clock: int
    order: int
    time: int = 0
    id: str | None = None
    source: str | None = None


class Edition2Header(Struct, array_like=True, gc=False):
    """The part of a header that edition 2 needs. Sessions that may still get rules of edition 2 have it, too."""

    fires: int = 0
    """Number of triggers that were fired. Contributions are ordered by it."""
    last_fires: dict[str, LastFire] = {}
    """Hot entries of the last fires by trigger; the others are in rows."""
    last_fires_spilled: bool = False
    finalized: bool = False
    """True if `$session.finalize` has been fired."""


class RuleBinding(Struct, array_like=True, gc=False):
    """Says which version of published rules a session is bound to."""

    name: str
    version: int
    replaced: list[str] = []
    """Tasks of that version that the session's own updates have replaced since."""


class Header(Struct, array_like=True, gc=False):
    """The state that nearly every event needs. Nothing in it grows with the session. New fields go to the end.

    Reading and writing a field costs every event about 100 instructions, even if it is empty. So what not all
    sessions need has a class of its own, and is None in the others.
    """

    version: int = VERSION
    configuration: bytes = b""
    """Hash of the configuration, or empty if the session has none."""
    tasks: dict[str, TaskState] = {}
    """Hot entries by task; the others are in rows."""
    tasks_spilled: bool = False
    latest: dict[str, Latest] = {}
    """Hot entries of the latest kwargs by trigger; the others are in rows."""
    latest_spilled: bool = False
    payloads: int = 0
    """Number of the last payload row."""
    instances: int = 0
    """Number of instances of all tasks."""
    unresolved: int = 0
    """Number of unresolved instances of all tasks."""
    created: int = 0
    modified: int = 0
    events: int = 0
    tail: list[int] = []
    """Positions of the latest events. A full chunk is moved into a row."""
    chunks: int = 0
    """Number of chunks of the event index in rows."""
    ids: bytes = b""
    """Digests of the latest event ids. A full chunk is moved into a row."""
    id_chunks: int = 0
    """Number of chunks of event ids that were ever moved into rows."""
    last: int = 0
    """When the latest event came into the log; maintained only with a `sessionTtl`."""
    wake: int = 0
    """Due time of the session's own timer, or 0 if it has none."""
    deleted: bool = False
    """True in the grave of a deleted session, which makes its late results stale."""
    sweeping: bool = False
    """True if the session is deleted and some of its rows remain."""
    past_attempts: int = 0
    """Upper bound of the attempts that earlier sessions of this UID issued."""
    clock: int = 0
    """The largest log time of the session's records. It never runs backwards."""
    edition_2: Edition2Header | None = None
    """What edition 2 needs, or None if the session has only rules of its own, of edition 1."""
    published: RuleBinding | None = None
    """The published rules that the session is bound to, or None if it is bound to none."""

    @property
    def rules_name(self) -> str | None:
        """Name of the published rules that the session is bound to, or None."""
        return None if self.published is None else self.published.name

    def begin_edition_2(self) -> Edition2Header:
        """Returns the part that edition 2 needs; creates it on the first call."""
        if self.edition_2 is None:
            self.edition_2 = Edition2Header()
        return self.edition_2
