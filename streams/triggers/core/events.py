"""The events that can happen to a session: the decoded records of `<ns>.events`.

An event is a fact with a `position` and a `time`. Both come from the log, never from a clock. Payloads (kwargs,
results, metadata, configurations) are opaque JSON bytes and are decoded only when a rule or a task needs them.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from triggers.core.trace_context import TraceContext


class SessionEvent(Struct, frozen=True, kw_only=True, gc=False):
    """Base of all events."""

    position: int = 0
    """Offset of the Kafka record, or the event's number in an in-memory log. It grows within a session."""
    time: int = 0
    """When it happened, in milliseconds since 1970-01-01 UTC: the time that the producer gave, or else the record's
    timestamp."""
    recorded: int = 0
    """The record's timestamp if the producer gave a `time`, or 0 if `time` is the timestamp. Timers count from it."""
    id: str | None = None
    """Id that the producer gave. An event that repeats an id of the session's dedupe window changes nothing."""
    source: str | None = None
    """Producer of the event. Expressions of rules may read it."""
    rules: str | None = None
    """Name of the published rules that a session takes if this is its first event. Later it has no meaning."""
    trace: TraceContext | None = None
    """Where the event is in its producer's trace, or None. It changes nothing but which spans are stored."""


class OperatorEvent(SessionEvent, frozen=True, kw_only=True):
    """Base of the events that an operator, or the application in an operator's place, causes."""

    actor: str | None = None
    """Name of the operator: of a token of the HTTP API, or of the user of the command line. It changes nothing. It is
    None if an application caused the event."""


class TriggerFired(SessionEvent, frozen=True, kw_only=True, tag="fire"):
    """An application, or a task while it runs, fired a trigger."""

    trigger: str
    kwargs: bytes = b"{}"
    """JSON object that the trigger was fired with."""


class ConfigurationUpdated(OperatorEvent, frozen=True, kw_only=True, tag="configure"):
    """Tasks were added to the session's configuration, or replaced by name."""

    configuration: bytes
    """JSON object, task name -> directives. The order of the names is the declaration order."""
    if_absent: bool = False
    """True if a session that has a configuration ignores the update; used for the default one of a storage."""


class TaskEvent(SessionEvent, frozen=True, kw_only=True):
    """Base of the events with which a worker reports on one attempt of an instance."""

    instance: str
    """Name of the instance, `<task>#<n>`."""
    attempt: int = 0
    """Attempt of the command, counted from 1; 0 means the current one, for services that do not know attempts."""


class TaskStarted(TaskEvent, frozen=True, kw_only=True, tag="running"):
    """A worker started to run the command."""


class TaskFinished(TaskEvent, frozen=True, kw_only=True, tag="finished"):
    """The task returned; its result fires the task's name as a trigger (the cascade)."""

    result: bytes = b"{}"
    """JSON object that the task returned."""
    log_level: int = 0
    """Highest level at which the task logged (0 none, 10 debug … 50 critical)."""


class TaskFailed(TaskEvent, frozen=True, kw_only=True, tag="failed"):
    """The task raised, was rejected, exceeded a limit, or was lost with its process."""

    exception_type: str
    """Class of the exception, `module.Class`."""
    exception_context: bytes = b"{}"
    """JSON object: the exception's `context`."""
    exception_info: str = ""
    """The formatted traceback."""
    log_level: int = 0
    exception_message: str = ""
    """The exception's own text. Older records have none."""


class TaskStatusChanged(TaskEvent, frozen=True, kw_only=True, tag="status"):
    """The task raised `StatusChange`; `self.skip()` sets the status `skipped`. It never cascades."""

    status: str
    metadata: bytes = b"{}"
    """JSON object, merged into the instance's metadata."""


class TaskRetried(TaskEvent, frozen=True, kw_only=True, tag="retry"):
    """The task raised `self.retry(…)`: the instance fails and is replayed; the copy waits for `cooldown_ms`."""

    metadata: bytes = b"{}"
    exception_type: str | None = None
    exception_context: bytes = b"{}"
    exception_info: str = ""
    replacement_kwargs: bytes | None = None
    """JSON object, trigger -> kwargs, that replaces all kwargs, or None to keep them."""
    cooldown_ms: int = 0
    log_level: int = 0
    exception_message: str = ""


class ReplayRequested(OperatorEvent, frozen=True, kw_only=True, tag="replay"):
    """An operator replays a failed instance."""

    instance: str
    replacement_kwargs: bytes | None = None


class SkipRequested(OperatorEvent, frozen=True, kw_only=True, tag="skip"):
    """An operator skips a failed instance, optionally with a simulated result that cascades."""

    instance: str
    cascade: bool = False
    result: bytes = b"{}"


class StatusSet(OperatorEvent, frozen=True, kw_only=True, tag="set_status"):
    """The application set an instance's status (`update_instance_status`)."""

    instance: str
    status: str
    metadata: bytes = b"{}"
    cascade: bool = False
    cascade_kwargs: bytes = b"{}"
    force: bool = False
    """True if a change that is not in the table of transitions is allowed."""


class MetadataUpdated(OperatorEvent, frozen=True, kw_only=True, tag="set_metadata"):
    """The application merged metadata into an instance; `mark_instance_logs_resolved` is `{"logsResolved": true}`."""

    instance: str
    metadata: bytes


class CloneRequested(OperatorEvent, frozen=True, kw_only=True, tag="clone"):
    """The application created an unstarted copy of an instance."""

    instance: str


class TimerFired(SessionEvent, frozen=True, kw_only=True, tag="timer"):
    """A timer that a decision set is due."""

    instance: str
    """Name of the instance, or empty for the session's own timer."""
    attempt: int
    due: int = 0
    """Due time, which identifies the timer. Older records have 0: the timer of a cooldown."""
    kind: str = ""
    """Kind of the timer, in edition 2."""


class DeletionRequested(OperatorEvent, frozen=True, kw_only=True, tag="delete"):
    """The application or an operator deletes the session: all of its state, but not its past events."""


class SessionImported(OperatorEvent, frozen=True, kw_only=True, tag="import"):
    """A session is imported with its state from another storage. Refused if the session exists."""

    state: bytes
    """JSON object with the configuration, instances and latest kwargs; `importing` describes it."""
    reissue: bool = False
    """True if the commands of scheduled and running instances are issued again, as no worker will report on them."""


class RulesPublished(OperatorEvent, frozen=True, kw_only=True, tag="publish"):
    """A version of rules was published. It has no session: every partition of the events has a copy of the record."""

    name: str
    version: int
    """Number of the version, counted from 1 for each name."""
    configuration: bytes
    """JSON object, task name -> directives."""
    match: list[str] = []
    """UIDs of the sessions that begin with these rules, or patterns with `*` at the end."""
    is_default: bool = False
    """True if sessions that nothing matches begin with these rules."""
    existing: str = "keep"
    """`adopt` if existing sessions take the version over at their next event, or `keep`."""
    locked: bool = False
    """True if sessions with these rules refuse updates of their configuration."""


class CancelRequested(OperatorEvent, frozen=True, kw_only=True, tag="cancel"):
    """An operator ends an instance that is neither failed nor resolved. Its task does not run, or has no effect."""

    instance: str
    terminate: bool = False
    """True if a running task is to be ended, too; it has a meaning in edition 2 only."""


class AdoptionRequested(OperatorEvent, frozen=True, kw_only=True, tag="adopt"):
    """An operator binds an existing session to a version of published rules, whatever that says about existing ones."""

    name: str
    version: int
    """Number of the version, counted from 1."""


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
    | RulesPublished
    | CancelRequested
    | AdoptionRequested
)
"""The closed union of everything that changes a session, and of what is published for many sessions.

The tag of a class is the event's `type` in JSON.
"""


def with_actor(event: Event, actor: str) -> Event:
    """Returns the event with its operator, if it is an operator's and names none."""
    if not actor or not isinstance(event, OperatorEvent) or event.actor is not None:
        return event
    return replace(event, actor=actor)


def with_trace(event: Event, trace: TraceContext | None) -> Event:
    """Returns the event with its place in a trace, unless it has one or there is none."""
    return event if trace is None or event.trace is not None else replace(event, trace=trace)


def actor_of(event: Event) -> str | None:
    """Returns the operator who caused the event, or None."""
    return event.actor if isinstance(event, OperatorEvent) else None
