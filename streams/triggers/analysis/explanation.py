"""What `explain` says, as data. Its JSON is public (schemas/explanation.schema.json): keys stay, new ones may come.

Times are milliseconds since 1970-01-01 UTC; offsets are Kafka offsets, or line numbers of a log in a file.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from triggers.core.commands import Outcome


class Verdict(StrEnum):
    """What will become of an instance if the missing triggers fire now, or why no trigger matters to it."""

    RUNS = "runs"
    """It waits; when all of `missing` has fired, it runs."""
    RUNS_AT_NEXT = "runs at next"
    """Nothing is missing; it runs when a trigger that it uses fires again (the rule is younger than what fired)."""
    ABANDONED = "abandoned instead"
    """It waits, but firing what is missing satisfies `unless`: it is abandoned and never runs."""
    ABANDONED_AT_NEXT = "abandoned at next"
    """All of `unless` has fired; it is abandoned when one of the triggers it uses fires again."""
    NEVER = "never"
    """Its rule waits for nothing, so nothing starts it."""
    STARTED = "started"
    """It is past waiting; `status` says where it is."""


class Reason(StrEnum):
    """Why an event did nothing, to one task or at all."""

    UNUSED = "no rule uses it"
    """No task of the configuration, as it was then, has the trigger in `after`, `andEvery` or `unless`."""
    HAS_IT = "instance already has it"
    """Every waiting instance of the task had the trigger before; the first kwargs stay."""
    STARTED = "already started"
    """No instance of the task waits any more, and the trigger is not the task's `andEvery`."""
    ABANDONED = "already abandoned"
    """All instances of the task are abandoned, and the trigger is not the task's `andEvery`."""
    TOO_LATE = "too late"
    """The trigger is in `unless` only, and no instance of the task waits any more."""
    DUPLICATE = "duplicate"
    """An event with this id was applied before."""
    SETTLED = "stale result: the attempt has its result"
    """A result of an attempt that has one, or that nobody waits for any more."""
    SUPERSEDED = "stale result: another attempt is current"
    """A result, or a timer, of an attempt that is not the instance's current one."""
    NOT_ISSUED = "stale result: no attempt was made"
    """A result of an instance whose command was never issued."""
    RUNNING = "already running"
    """A second report that the attempt has started."""
    NO_TIMER = "no timer is set"
    """The cooldown that is over is not waited for any more."""
    GONE = "session is deleted"
    """A result, a timer or a deletion of a session that is deleted."""
    CONFIGURED = "already configured"
    """Default rules, of a session that has rules."""
    REFUSED = "refused"
    """The session cannot do it; the event is a dead letter."""


class Does(StrEnum):
    """What an event did."""

    CONFIGURED = "configured"
    """The task's rule was added, or replaced."""
    CREATED = "created"
    TOOK = "took"
    """The instances hold the trigger now, and wait on."""
    COUNTED = "counted"
    """The instances count the trigger towards `unless`, and wait on."""
    BECAME = "became"
    """The instances took `status`."""
    ISSUED = "issued"
    """The command of an attempt was issued."""
    COOLS = "cools"
    """The command of an attempt will be issued when the cooldown is over."""
    WATCHED = "watched"
    """The attempt is overdue if it has the same status after a while."""
    DELETED = "deleted"
    """The session, with all its instances; `task` is empty."""
    METADATA = "metadata"
    """Metadata was merged into the instance."""


class EventRef(Struct, frozen=True, kw_only=True):
    """An event, to be looked up."""

    offset: int
    time: int
    id: str | None
    what: str
    """`pageReceived fired`, `t_import#0 finished`, …"""


class Held(Struct, frozen=True, kw_only=True):
    """A trigger that has fired, and the event that counts."""

    trigger: str
    by: EventRef | None
    """None: kwargs that nobody fired, given by a replay under a name of their own."""


class Cause(Struct, frozen=True, kw_only=True):
    """What would have to happen first, at the end of a chain of tasks that wait for each other."""

    kind: str
    """`fire`: an application has to fire the trigger; `instance`: an instance is under way, failed, or ended without
    firing; `cycle`: the chain comes back to where it began."""
    name: str
    """Trigger or instance."""
    why: str


class Missing(Struct, frozen=True, kw_only=True):
    """A trigger that has not fired, and what it waits for."""

    trigger: str
    causes: list[Cause]


class InstanceProof(Struct, frozen=True, kw_only=True):
    """Why an instance is where it is. `name` None: the task has none; what the next one would be."""

    name: str | None
    status: str | None
    since: int
    verdict: Verdict
    satisfied: list[Held]
    """Of `after`."""
    missing: list[Missing]
    """Of `after`."""
    unless_fired: list[Held]
    unless_missing: list[str]
    attempt: int
    due: int | None
    """When its command will be issued, while it waits for a cooldown."""
    last: EventRef | None
    """The event that gave it its status."""


class TaskProof(Struct, frozen=True, kw_only=True):
    """A rule and its instances, in creation order."""

    name: str
    after: list[str]
    and_every: str | None
    unless: list[str]
    run: str
    instances: list[InstanceProof]


class Effect(Struct, frozen=True, kw_only=True):
    """Something that an event did to instances of one task."""

    does: Does
    task: str
    numbers: list[tuple[int, int]] = []
    """First and last number of each row of instances."""
    status: str | None = None
    detail: str = ""


class Idle(Struct, frozen=True, kw_only=True):
    """Why an event did nothing, to one task (None: at all)."""

    reason: Reason
    task: str | None = None
    statuses: dict[str, int] = {}
    """Status -> instances of the task."""
    by: EventRef | None = None
    """The event that was there before."""
    detail: str = ""


class EventProof(Struct, frozen=True, kw_only=True):
    """An event and what came of it."""

    event: EventRef
    outcome: Outcome | None
    """None: refused."""
    fires: list[str]
    effects: list[Effect]
    idle: list[Idle]


class Explanation(Struct, frozen=True, kw_only=True):
    """A session, or one task of it."""

    session: str
    events: list[EventProof]
    """In their order; of one task: those that could have done something to it."""
    tasks: list[TaskProof]
