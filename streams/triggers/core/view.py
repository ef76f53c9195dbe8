"""Views of a session for people and programs: its whole state by name, with payloads as JSON."""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from triggers.core.binding import pending_rules
from triggers.core.exception_view import ExceptionView, view_exception
from triggers.core.groups import held_by
from triggers.core.importing import ImportedInstance
from triggers.core.instance_names import instance_name
from triggers.core.lifecycle import take_over_fills, task_kwargs
from triggers.core.plan import Rule
from triggers.core.state.cohorts import find_cohort
from triggers.core.state.header import Header
from triggers.core.state.header_codec import decode_header
from triggers.core.state.header_parts import TaskState
from triggers.core.state.loaded_instance import LoadedInstance
from triggers.core.state.session import Session
from triggers.core.statuses import Status, is_resolved

_json = msgspec.json.Encoder().encode


class TaskView(Struct, frozen=True, kw_only=True):
    """A rule and the number of its instances."""

    name: str
    after: list[str]
    and_every: str | None
    unless: list[str]
    run: str
    using: str | None
    with_params: Raw
    extra: dict[str, Raw]
    instances: int
    unresolved: int


class InstanceView(Struct, frozen=True, kw_only=True):
    """An instance. Times are milliseconds since 1970-01-01 UTC."""

    name: str
    task: str
    status: str
    kwargs: dict[str, Raw]
    """Trigger -> kwargs that it holds, without `withParams`."""
    abandon_state: list[str]
    metadata: dict[str, Raw]
    depth: int
    parent: str | None
    attempt: int
    created: int
    modified: int
    timestamps: dict[str, int]
    """Status -> time when it was last set."""
    due: int | None = None
    """When its command will be issued, during a cooldown."""
    deadline: int | None = None
    """When its attempt is overdue, if its task has `timeouts`."""
    cascade_depth: int = 0
    """Number of results in a row, without an event from outside, that led to it."""
    timers: dict[str, int] = {}
    """Due times by kind of timer, in edition 2."""
    exception: ExceptionView | None = None
    """The exception of its last attempt that failed, or None if none did."""


class RulesView(Struct, frozen=True, kw_only=True):
    """The published rules that a session is bound to."""

    name: str
    version: int
    pending: str = ""
    """Why the session stays on this version although a later one says `adopt`, or empty. Lists do not say it."""


class SessionView(Struct, frozen=True, kw_only=True):
    """The whole state of a session."""

    uid: str
    created: int
    modified: int
    events: int
    """Number of its events."""
    tasks: list[TaskView]
    """Rules in declaration order."""
    instances: list[InstanceView]
    """Instances in creation order."""
    latest_kwargs: dict[str, Raw]
    unresolved_tasks: list[str]
    """Tasks with no instance yet or with an unresolved one, in declaration order."""
    unresolved_instances: list[str]
    rules: RulesView | None = None
    """The published rules that it is bound to, or None."""
    edition: int = 1
    """The edition of its rules."""
    clock: int = 0
    """The largest log time of its records."""


class SessionSummary(Struct, frozen=True, kw_only=True):
    """The facts about a session that lists show. They are all in its header."""

    uid: str
    created: int
    modified: int
    events: int
    instances: int
    unresolved: int
    """Number of unresolved instances."""
    rules: RulesView | None = None


def view_session(session: Session) -> SessionView:
    """Returns the view of a session. It reads all rows, so the session's changes must have been written."""
    stored = sorted(session.instances.scan(), key=lambda loaded: loaded.instance.sequence)
    header, states, edition = session.header, session.tasks.all(), session.plan.edition
    instances = [_instance_view(session, states[loaded.task], loaded) for loaded in stored]
    return SessionView(
        uid=session.uid,
        created=header.created,
        modified=header.modified,
        events=header.events,
        tasks=[_task_view(task, states.get(task.name)) for task in session.plan.tasks.values()],
        instances=instances,
        latest_kwargs=_latest_kwargs(session),
        unresolved_tasks=[name for name, task in session.plan.tasks.items() if _unresolved(states.get(name), task)],
        unresolved_instances=[instance.name for instance in instances if not is_resolved(instance.status, edition)],
        rules=_rules_of(session),
        edition=edition,
        clock=header.clock,
    )


def _rules_of(session: Session) -> RulesView | None:
    rules = _rules_view(session.header)
    refused = None if rules is None else pending_rules(session)
    if rules is None or refused is None:
        return rules
    later, reason = refused
    return msgspec.structs.replace(rules, pending=f"version {later.version} cannot be adopted: {reason}")


def _rules_view(header: Header) -> RulesView | None:
    bound = header.published
    return None if bound is None else RulesView(name=bound.name, version=bound.version)


def importable_state(session: SessionView) -> bytes:
    """Returns the state with which the session can be imported elsewhere (`SessionImported.state`)."""
    fields = msgspec.structs.fields(ImportedInstance)
    state = {
        "configuration": {task.name: _directives(task) for task in session.tasks},
        "instances": [{f.name: getattr(instance, f.name) for f in fields} for instance in session.instances],
        "latest_kwargs": session.latest_kwargs,
        "created": session.created,
    }
    return _json(state)


def _directives(task: TaskView) -> dict[str, object]:
    triggers: dict[str, object] = {"after": task.after, "andEvery": task.and_every, "unless": task.unless}
    return triggers | {"run": task.run, "using": task.using, "withParams": task.with_params} | dict(task.extra)


def summarize_header(uid: str, row: bytes) -> SessionSummary | None:
    """Returns the summary of a header row, or None if the session is deleted."""
    header = decode_header(row)
    if header.deleted:
        return None
    return SessionSummary(
        uid=uid,
        created=header.created,
        modified=header.modified,
        events=header.events,
        instances=header.instances,
        unresolved=header.unresolved,
        rules=_rules_view(header),
    )


def _task_view(task: Rule, state: TaskState | None) -> TaskView:
    return TaskView(
        name=task.name,
        after=list(task.after),
        and_every=task.and_every,
        unless=list(task.unless),
        run=task.run,
        using=task.using,
        with_params=Raw(task.with_params),
        extra={key: Raw(value) for key, value in task.extra.items()},
        instances=state.count if state else 0,
        unresolved=state.unresolved if state else 0,
    )


def _unresolved(state: TaskState | None, task: Rule) -> bool:
    if state is None or state.count == 0:
        return task.edition_2 is None or not task.edition_2.optional
    return state.unresolved > 0


def _instance_view(session: Session, state: TaskState, loaded: LoadedInstance) -> InstanceView:
    instance = loaded.instance
    if instance.status == Status.UNSTARTED and (cohort := find_cohort(state, loaded.number)):
        take_over_fills(instance, cohort)
    if (waits := held_by(session, loaded)) is not None:
        kwargs, seen = waits
    else:
        kwargs = {trigger: session.payloads.read(payload) for trigger, payload in instance.kwargs.items()}
        seen = instance.unless_seen
    return InstanceView(
        name=loaded.name,
        task=loaded.task,
        status=instance.status,
        kwargs={trigger: Raw(payload) for trigger, payload in kwargs.items()},
        abandon_state=seen,
        metadata={key: Raw(value) for key, value in _metadata(session, loaded).items()},
        depth=instance.depth,
        parent=None if instance.parent < 0 else instance_name(loaded.task, instance.parent),
        attempt=instance.attempt,
        created=instance.created,
        modified=instance.modified or instance.created,
        timestamps=instance.stamps,
        due=instance.due or None,
        deadline=instance.deadline or None,
        cascade_depth=instance.cascade_depth,
        timers=dict(instance.timers or {}),
        exception=view_exception(instance.metadata),
    )


def _metadata(session: Session, loaded: LoadedInstance) -> dict[str, bytes]:
    instance = loaded.instance
    metadata = dict(instance.metadata)
    if Status.RUNNING in instance.stamps and (rule := session.rule_as_scheduled(loaded)):
        metadata["actualKwargs"] = task_kwargs(session, rule, instance)
    if instance.result is not None and "result" not in metadata:
        metadata["result"] = session.payloads.read(instance.result)
    return metadata


def _latest_kwargs(session: Session) -> dict[str, Raw]:
    return {trigger: Raw(kwargs) for trigger, kwargs in session.payloads.latest_kwargs().items()}
