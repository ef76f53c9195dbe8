"""The result of `explain` as data. Its JSON is public (schemas/explanation.schema.json): keys are only ever added.

Times are milliseconds since 1970-01-01 UTC. Offsets are Kafka offsets, or line numbers if the log is a file.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from msgspec import Struct, field

from triggers.core.commands import Outcome
from triggers.core.exception_view import ExceptionView
from triggers.core.view import RulesView


class Outlook(StrEnum):
    """The outcome for an instance if its missing triggers fire now, or the reason why no trigger matters to it."""

    RUNS = "runs"
    """It waits, and it runs once all of `missing` have fired."""
    RUNS_AT_NEXT = "runs at next"
    """Nothing is missing, because the rule is newer than the fires. It runs when one of its triggers fires again."""
    ABANDONED = "abandoned instead"
    """It waits, but the missing triggers also satisfy `unless`, so it will be abandoned and never run."""
    ABANDONED_AT_NEXT = "abandoned at next"
    """The triggers of `unless` have all fired. It is abandoned when one of its triggers fires again."""
    NEVER = "never"
    """The rule waits for no trigger, so nothing starts it."""
    STARTED = "started"
    """It no longer waits; `status` is its state."""
    DELAYED = "delayed"
    """Edition 2: it is ready and runs when its delay is over, unless something stops it."""


class Reason(StrEnum):
    """Why an event had no effect, on one task or on the whole session."""

    UNUSED = "no rule uses it"
    """No task of the configuration at that time had the trigger in `after`, `andEvery` or `unless`."""
    HAS_IT = "instance already has it"
    """Every waiting instance of the task already had the trigger; the first kwargs stay."""
    STARTED = "already started"
    """No instance of the task waits any more, and the trigger is not the task's `andEvery`."""
    ABANDONED = "already abandoned"
    """All instances of the task are abandoned, and the trigger is not the task's `andEvery`."""
    TOO_LATE = "too late"
    """The trigger is in `unless` only, and no instance of the task waits any more."""
    DUPLICATE = "duplicate"
    """An event with this id was applied before."""
    HAS_RESULT = "stale result: the attempt has its result"
    """The attempt already has a result, or its result is no longer awaited."""
    WITHDRAWN = "stale result: the attempt was withdrawn"
    """Edition 2: `cancelOn` cancelled the instance."""
    SUPERSEDED = "stale result: another attempt is current"
    """The result or timer belongs to an attempt that is not the instance's current one."""
    NOT_ISSUED = "stale result: no attempt was made"
    """The result belongs to an instance for which no command was ever issued."""
    RUNNING = "already running"
    """The start of the attempt was already reported."""
    NO_TIMER = "no timer is set"
    """Nothing waits for the timer any more."""
    GONE = "session is deleted"
    """The event is a result, a timer or a deletion, and the session is already deleted."""
    CONFIGURED = "already configured"
    """The event brings default rules, and the session already has rules."""
    HAS_RULES = "already has these rules"
    """An operator asked for a version of published rules that the session has."""
    NOT_ACCEPTED = "no leaf accepts it"
    """Edition 2: the `when` of every leaf with the trigger is false, or a value cannot be evaluated."""
    NOT_TAKEN = "no instance takes it"
    """Edition 2: a leaf accepts the event, but no waiting instance can take it, and the rule begins no other one."""
    REFUSED = "refused"
    """The session could not apply the event, so it became a dead letter."""


class Does(StrEnum):
    """The kind of effect that an event had."""

    CONFIGURED = "configured"
    """The task's rule was added or replaced."""
    BOUND = "bound"
    """The session took published rules; `detail` has their name and version, and `task` is empty."""
    CREATED = "created"
    TOOK = "took"
    """The instances took the trigger and keep waiting."""
    COUNTED = "counted"
    """The instances counted the trigger towards `unless` and keep waiting."""
    BECAME = "became"
    """The status of the instances became `status`."""
    ISSUED = "issued"
    """The command of an attempt was issued."""
    COOLS = "cools"
    """The command of an attempt will be issued after a cooldown."""
    WATCHED = "watched"
    """A timer was set: the attempt becomes overdue if its status does not change in time."""
    DELETED = "deleted"
    """The session was deleted with all its instances; `task` is empty."""
    METADATA = "metadata"
    """Metadata was merged into the instance."""
    TIMER = "timer"
    """Edition 2: a timer was set; `detail` says its kind and when it is due."""
    WITHDREW = "withdrew"
    """Edition 2: the command of an attempt was withdrawn."""
    FORWARDED = "forwarded"
    """Edition 2: `$forward` fired a trigger in another session; `task` is empty."""


class LeafReaction(StrEnum):
    """The reaction of a leaf of edition 2 to an event."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    """Its `when` is false."""
    FAILED = "cannot be evaluated"
    """Its `when` or `distinct` has no value, which counts as a refusal; `why` has the reason."""
    CANDIDATE = "candidate"
    """Its `when` reads what an instance holds, so each waiting instance decides; `numbers` are those that take it."""


class EventRef(Struct, frozen=True, kw_only=True):
    """A reference to an event, with which a reader can look it up."""

    offset: int
    time: int
    id: str | None
    what: str
    """The event in words, such as `pageReceived fired` or `t_import#0 finished`."""


class HeldTrigger(Struct, frozen=True, kw_only=True):
    """A trigger that an instance has, and the event that gave it."""

    trigger: str
    by: EventRef | None
    """The event that fired the trigger, or None if a replay supplied its kwargs."""


class MissingCause(Struct, frozen=True, kw_only=True):
    """An event or a task that has to come first, found at the end of a chain of tasks that wait for each other."""

    kind: str
    """`fire` if an application has to fire the trigger. `instance` if an instance is under way, has failed, or has
    ended without firing. `cycle` if the chain leads back to its first task. `outcome` if only the engine fires it."""
    name: str
    """The name of the trigger or the instance."""
    why: str


class Missing(Struct, frozen=True, kw_only=True):
    """A trigger that has not fired, and the reasons."""

    trigger: str
    causes: list[MissingCause]


class ConditionProof(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A condition of edition 2 as one instance sees it now: a leaf, or a combinator with children."""

    kind: str
    """`leaf`, or the combinator: `all`, `any`, `atLeast` or `sequence`."""
    is_true: bool
    have: int = 0
    """Contributions of a leaf, or true children of a combinator."""
    need: int | None = None
    """How many make it true, None if that depends on a value that is not there yet."""
    children: list[ConditionProof] = []
    trigger: str = ""
    alias: str = ""
    when: str | None = None
    distinct: str | None = None
    by: list[EventRef] = []
    """The newest events that the leaf holds, at most ten."""
    causes: list[MissingCause] = []
    """The events that must come before the trigger of a leaf that is not true fires."""
    candidates: int = 0
    """Events of the trigger that the leaf holds although its `when` is not true of them now."""
    failures: list[str] = []
    """Expressions that cannot be evaluated, with the reason."""
    within: int = 0
    """Milliseconds within which it must become true."""
    until: int | None = None
    """When the oldest event below becomes too old, while it is not true."""


class TimerProof(Struct, frozen=True, kw_only=True):
    """A timer that an instance of edition 2 has set."""

    kind: str
    due: int
    then: str
    """The effect of the timer, in words."""


class LeafVerdict(Struct, frozen=True, kw_only=True):
    """The reaction of a leaf of edition 2 to a trigger that fired, and its reason."""

    task: str
    directive: str
    """`after`, `andEvery`, `unless` or `cancelOn`."""
    trigger: str
    alias: str
    verdict: LeafReaction
    when: str | None = None
    values: dict[str, Any] = {}
    """The values of the event that `when` reads."""
    why: str = ""
    numbers: list[tuple[int, int]] = []
    """Waiting instances that hold it afterwards, as runs of consecutive numbers."""


class InstanceProof(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why an instance is in its state. If the task has no instance, `name` is None and this is its next instance."""

    name: str | None
    status: str | None
    since: int
    outlook: Outlook = field(name="verdict")
    satisfied: list[HeldTrigger]
    """The triggers of `after` that the instance has."""
    missing: list[Missing]
    """The triggers of `after` that it lacks."""
    unless_fired: list[HeldTrigger]
    unless_missing: list[str]
    attempt: int
    due: int | None
    """The time at which its command will be issued, while a cooldown delays it."""
    last: EventRef | None
    """The event that set its status."""
    condition: ConditionProof | None = None
    """Edition 2: `after` with `andEvery`, while the instance waits."""
    unless_condition: ConditionProof | None = None
    """Edition 2: `unless`, while the instance waits."""
    timers: list[TimerProof] = []
    why: str = ""
    """Edition 2: why it was stopped, or why it failed."""
    exception: ExceptionView | None = None
    """The exception of its last attempt that failed."""


class TaskProof(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A rule and its instances, in creation order."""

    name: str
    after: list[str]
    and_every: str | None
    unless: list[str]
    run: str
    instances: list[InstanceProof]
    sentence: str = ""
    """Edition 2: the whole rule as a sentence."""


class Effect(Struct, frozen=True, kw_only=True):
    """One effect of an event on instances of one task."""

    does: Does
    task: str
    numbers: list[tuple[int, int]] = []
    """The first and last number of each run of consecutive instances."""
    status: str | None = None
    detail: str = ""


class Idle(Struct, frozen=True, kw_only=True):
    """Why an event had no effect on `task`, or on the whole session if `task` is None."""

    reason: Reason
    task: str | None = None
    statuses: dict[str, int] = {}
    """The number of the task's instances by status."""
    by: EventRef | None = None
    """The earlier event that is the reason, if there is one."""
    detail: str = ""


class EventProof(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An event and its effects."""

    event: EventRef
    outcome: Outcome | None
    """The outcome of the event, or None if the session refused it."""
    fires: list[str]
    effects: list[Effect]
    idle: list[Idle]
    leaves: list[LeafVerdict] = []
    """Edition 2: what the leaves made of the triggers that fired."""


class Explanation(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The explanation of a session, or of one task of it."""

    session: str
    events: list[EventProof]
    """The events in order. If one task is explained, only those that could have affected it."""
    tasks: list[TaskProof]
    rules: RulesView | None = None
    """Edition 2: the published rules that the session took."""
