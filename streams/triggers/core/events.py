"""What can happen to a session: every record of `<ns>.events`, decoded.

An event is a fact with a place (`position`) and a `time`; both come from the log, never from a clock. Payloads (kwargs,
results, metadata, configurations) are opaque JSON bytes, read only when a rule or a task needs them.
"""

from __future__ import annotations

from msgspec import Struct


class SessionEvent(Struct, frozen=True, kw_only=True, gc=False):
    """What every event has."""

    position: int = 0
    """Kafka offset of the record, or its number in an in-memory log; grows within a session."""
    time: int = 0
    """Milliseconds since 1970-01-01 UTC: the event's own time if its producer gave one, else the record's timestamp."""
    recorded: int = 0
    """The record's timestamp where `time` is the event's own; 0: `time` is that. Timers go by it."""
    id: str | None = None
    """The caller's id. Repeated within the session's dedupe window, the event changes nothing."""


class TriggerFired(SessionEvent, frozen=True, kw_only=True, tag="fire"):
    """An application, or a task while it runs, fired a trigger."""

    trigger: str
    kwargs: bytes = b"{}"
    """JSON object."""


class ConfigurationUpdated(SessionEvent, frozen=True, kw_only=True, tag="configure"):
    """Tasks were added to the session's configuration, or replaced by name."""

    configuration: bytes
    """JSON object, task name -> directives; the order of the names is the declaration order."""
    if_absent: bool = False
    """Apply only while the session has no configuration (a storage's default configuration)."""


class TaskEvent(SessionEvent, frozen=True, kw_only=True):
    """What a worker reports of one attempt of an instance."""

    instance: str
    """`<task>#<n>`."""
    attempt: int = 0
    """The command's attempt, from 1. 0: whichever is current (a service that does not know attempts)."""


class TaskStarted(TaskEvent, frozen=True, kw_only=True, tag="running"):
    """A worker took the command."""


class TaskFinished(TaskEvent, frozen=True, kw_only=True, tag="finished"):
    """The task returned; its result fires the task's name as a trigger (the cascade)."""

    result: bytes = b"{}"
    """JSON object."""
    log_level: int = 0
    """Highest level the task logged (0 none, 10 debug … 50 critical)."""


class TaskFailed(TaskEvent, frozen=True, kw_only=True, tag="failed"):
    """The task raised, was rejected, exceeded a limit, or was lost with its process."""

    exception_type: str
    """`module.Class`."""
    exception_context: bytes = b"{}"
    """JSON object: the exception's `context`."""
    exception_info: str = ""
    """Formatted traceback."""
    log_level: int = 0


class TaskStatusChanged(TaskEvent, frozen=True, kw_only=True, tag="status"):
    """The task raised `StatusChange` (`self.skip()` is status `skipped`). Never cascades."""

    status: str
    metadata: bytes = b"{}"
    """JSON object, merged into the instance's metadata."""


class TaskRetried(TaskEvent, frozen=True, kw_only=True, tag="retry"):
    """The task raised `self.retry(…)`: the instance fails and is replayed at once, after `cooldown_ms`."""

    metadata: bytes = b"{}"
    exception_type: str | None = None
    exception_context: bytes = b"{}"
    exception_info: str = ""
    replacement_kwargs: bytes | None = None
    """JSON object trigger -> kwargs that replaces all kwargs; None keeps them."""
    cooldown_ms: int = 0
    log_level: int = 0


class ReplayRequested(SessionEvent, frozen=True, kw_only=True, tag="replay"):
    """An operator replays a failed instance."""

    instance: str
    replacement_kwargs: bytes | None = None


class SkipRequested(SessionEvent, frozen=True, kw_only=True, tag="skip"):
    """An operator skips a failed instance, optionally with a simulated result that cascades."""

    instance: str
    cascade: bool = False
    result: bytes = b"{}"


class StatusSet(SessionEvent, frozen=True, kw_only=True, tag="set_status"):
    """The application set an instance's status (`update_instance_status`)."""

    instance: str
    status: str
    metadata: bytes = b"{}"
    cascade: bool = False
    cascade_kwargs: bytes = b"{}"
    force: bool = False
    """Allow a change that the table of transitions does not."""


class MetadataUpdated(SessionEvent, frozen=True, kw_only=True, tag="set_metadata"):
    """The application merged metadata into an instance; `mark_instance_logs_resolved` is `{"logsResolved": true}`."""

    instance: str
    metadata: bytes


class CloneRequested(SessionEvent, frozen=True, kw_only=True, tag="clone"):
    """The application made an unstarted copy of an instance."""

    instance: str


class TimerFired(SessionEvent, frozen=True, kw_only=True, tag="timer"):
    """A timer that a decision has set is due."""

    instance: str
    """Empty: the session's own timer."""
    attempt: int
    due: int = 0
    """Which timer it is, by its due time; 0: the cooldown's (before timers had names)."""


class DeletionRequested(SessionEvent, frozen=True, kw_only=True, tag="delete"):
    """The application, or an operator, deletes the session: all of its state, not its past events."""


class SessionImported(SessionEvent, frozen=True, kw_only=True, tag="import"):
    """A session that was kept somewhere else goes on here; only one that is not there can be imported."""

    state: bytes
    """JSON object: its configuration, instances and latest kwargs (`importing`)."""
    reissue: bool = False
    """Issue the commands of scheduled and running instances again: nobody will report their results."""


Event = (
    TriggerFired
    | ConfigurationUpdated
    | TaskStarted
    | TaskFinished
    | TaskFailed
    | TaskStatusChanged
    | TaskRetried
    | ReplayRequested
    | SkipRequested
    | StatusSet
    | MetadataUpdated
    | CloneRequested
    | TimerFired
    | DeletionRequested
    | SessionImported
)
"""The closed union of everything that changes a session; the tag is the wire name (`type`) of the event."""
