"""The header, which is the hot row of a session, in memory. `header_codec` reads and writes it."""

from __future__ import annotations

from dataclasses import dataclass

from mypy_extensions import mypyc_attr

from triggers.core.state.header_parts import Edition2Part, RuleBinding, TaskState


@mypyc_attr(acyclic=True)
@dataclass(init=False, slots=True)
class Header:
    """The state that nearly every event needs. Nothing in it grows with the session.

    It is a data class rather than a struct, because compiled code reads and writes the fields of a struct thirty times
    as slowly, and an event does so twenty times. A new field also belongs at the end of what `header_codec` stores.

    Reading and writing a field costs every event about 100 instructions, even if it is empty. So what not all
    sessions need has a class of its own, and is None in the others.
    """

    configuration: bytes
    """Hash of the configuration, or empty if the session has none."""
    tasks: dict[str, TaskState]
    """Hot entries by task; the others are in rows."""
    tasks_spilled: bool
    latest: dict[str, bytes]
    """Hot records of the latest kwargs (`core.state.latest`) by trigger; the others are in rows."""
    latest_spilled: bool
    payloads: int
    """Number of the last payload row."""
    instances: int
    """Number of instances of all tasks."""
    unresolved: int
    """Number of unresolved instances of all tasks."""
    created: int
    modified: int
    events: int
    tail: list[int]
    """Positions of the latest events. A full chunk is moved into a row."""
    chunks: int
    """Number of chunks of the event index in rows."""
    ids: bytes
    """Digests of the latest event ids. A full chunk is moved into a row."""
    id_chunks: int
    """Number of chunks of event ids that were ever moved into rows."""
    last: int
    """When the latest event came into the log; maintained only with a `sessionTtl`."""
    wake: int
    """Due time of the session's own timer, or 0 if it has none."""
    deleted: bool
    """True in the grave of a deleted session, which makes its late results stale."""
    sweeping: bool
    """True if the session is deleted and some of its rows remain."""
    past_attempts: int
    """Upper bound of the attempts that earlier sessions of this UID issued."""
    clock: int
    """The largest log time of the session's records. It never runs backwards."""
    edition_2: Edition2Part | None
    """What edition 2 needs, or None if the session has only rules of edition 1."""
    published: RuleBinding | None
    """The published rules that the session is bound to, or None if it is bound to none."""

    def __init__(  # noqa: PLR0913  # one argument for each field
        self,
        *,
        configuration: bytes = b"", tasks: dict[str, TaskState] | None = None, tasks_spilled: bool = False,
        latest: dict[str, bytes] | None = None, latest_spilled: bool = False, payloads: int = 0, instances: int = 0,
        unresolved: int = 0, created: int = 0, modified: int = 0, events: int = 0, tail: list[int] | None = None,
        chunks: int = 0, ids: bytes = b"", id_chunks: int = 0, last: int = 0, wake: int = 0, deleted: bool = False,
        sweeping: bool = False, past_attempts: int = 0, clock: int = 0, edition_2: Edition2Part | None = None,
        published: RuleBinding | None = None,
    ) -> None:  # fmt: skip
        self.configuration = configuration
        self.tasks = {} if tasks is None else tasks
        self.tasks_spilled = tasks_spilled
        self.latest = {} if latest is None else latest
        self.latest_spilled = latest_spilled
        self.payloads = payloads
        self.instances = instances
        self.unresolved = unresolved
        self.created = created
        self.modified = modified
        self.events = events
        self.tail = [] if tail is None else tail
        self.chunks = chunks
        self.ids = ids
        self.id_chunks = id_chunks
        self.last = last
        self.wake = wake
        self.deleted = deleted
        self.sweeping = sweeping
        self.past_attempts = past_attempts
        self.clock = clock
        self.edition_2 = edition_2
        self.published = published

    @property
    def rules_name(self) -> str | None:
        """Name of the published rules that the session is bound to, or None."""
        return None if self.published is None else self.published.name

    def ensure_edition_2_part(self) -> Edition2Part:
        """Returns the part that edition 2 needs; creates it on the first call."""
        if self.edition_2 is None:
            self.edition_2 = Edition2Part()
        return self.edition_2
