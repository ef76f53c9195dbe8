"""An instance, which is one execution slot of a task, in memory. `instance_codec` reads and writes its row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mypy_extensions import mypyc_attr

from triggers.core.contribution import Contribution
from triggers.core.statuses import RESOLVED, UNSTARTED

Payload = int | bytes
"""A payload as headers and instances hold it: the bytes themselves if the payload is small or only one instance holds
it, otherwise the number of its row."""

SMALL: Final = 64
"""Maximum size in bytes of a payload without a row. A row costs the agent about 3 µs (docs/performance.md)."""


@mypyc_attr(acyclic=True)
@dataclass(init=False, slots=True)
class Instance:
    """The row of an instance. The key of the row holds its task and number.

    It is a data class rather than a struct, because compiled code reads and writes the fields of a struct thirty times
    as slowly. A new field also belongs into `StoredInstance`.
    """

    sequence: int
    """Number among all instances of the session in the order of creation, counted from 0."""
    created: int
    status: str
    kwargs: dict[str, Payload]
    """Trigger -> payload. While the instance waits, its cohort may hold further kwargs for it."""
    unless_seen: list[str]
    """Triggers of `unless` that have fired (the abandon state), sorted."""
    attempt: int
    """Number of the current attempt, or 0 before the first one."""
    attempt_closed: bool
    """True if the current attempt is closed: it has its result or was given up."""
    configuration: bytes
    """Hash of the configuration under which its command was issued."""
    modified: int
    stamps: dict[str, int]
    """Status -> time when it was last set."""
    metadata: dict[str, bytes]
    """Key -> JSON value."""
    result: Payload | None
    """Result of the finished task, or the simulated result of a skipped one."""
    depth: int
    """Number of replays, retries and clones between this instance and the first."""
    parent: int
    """Number of the instance that it replays or copies, or -1."""
    due: int
    """Time when its cooldown ends and its command is issued, or 0 if it has no cooldown."""
    cascade_depth: int
    """Number of results in a row, without an event from outside, that led to its being scheduled."""
    deadline: int
    """Time when its attempt is overdue, or 0 if it has no timeout."""
    held: dict[str, list[Contribution]] | None
    """Contributions that the instance alone holds while it waits under a rule of edition 2; its group has the rest."""
    timers: dict[str, int] | None
    """Due times by kind of timer, in edition 2."""
    delayed_at: int
    """When it became `delayed`, or 0 if it never did."""
    queue: str | None
    """Queue of the command of its current attempt."""
    spans: bytes
    """Spans of the events behind the instance whose traces are sampled, as `trace_context` joins them. While it waits,
    its cohort or group may hold further ones."""
    fired: list[int] | None
    """Clock and order of the fires that it holds while it waits in edition 1 (`core.state.held_fires`)."""

    def __init__(  # noqa: PLR0913  # one argument for each field
        self,
        *,
        sequence: int, created: int, status: str = UNSTARTED,
        kwargs: dict[str, Payload] | None = None, unless_seen: list[str] | None = None,
        attempt: int = 0, attempt_closed: bool = False, configuration: bytes = b"", modified: int = 0,
        stamps: dict[str, int] | None = None, metadata: dict[str, bytes] | None = None, result: Payload | None = None,
        depth: int = 0, parent: int = -1, due: int = 0, cascade_depth: int = 0, deadline: int = 0,
        held: dict[str, list[Contribution]] | None = None, timers: dict[str, int] | None = None, delayed_at: int = 0,
        queue: str | None = None, spans: bytes = b"", fired: list[int] | None = None,
    ) -> None:  # fmt: skip
        self.sequence = sequence
        self.created = created
        self.status = status
        self.kwargs = {} if kwargs is None else kwargs
        self.unless_seen = [] if unless_seen is None else unless_seen
        self.attempt = attempt
        self.attempt_closed = attempt_closed
        self.configuration = configuration
        self.modified = modified
        self.stamps = {} if stamps is None else stamps
        self.metadata = {} if metadata is None else metadata
        self.result = result
        self.depth = depth
        self.parent = parent
        self.due = due
        self.cascade_depth = cascade_depth
        self.deadline = deadline
        self.held = held
        self.timers = timers
        self.delayed_at = delayed_at
        self.queue = queue
        self.spans = spans
        self.fired = fired

    @property
    def is_resolved(self) -> bool:
        """True if nothing waits for the instance any more."""
        return self.status in RESOLVED

    def awaits(self, attempt: int) -> bool:
        """Returns whether a result of that attempt is still expected; 0 stands for the current attempt."""
        return self.attempt > 0 and not self.attempt_closed and attempt in (0, self.attempt)
