"""The life cycle of an instance: creation, scheduling, changes of its status, replay."""

from __future__ import annotations

from typing import Final

import msgspec

from triggers.core.commands import Outcome, RunTask, SetTimer
from triggers.core.groups import leave_group, note_status, stop_timers
from triggers.core.instance_names import instance_name
from triggers.core.kwargs import encoded_name, join_members, merge, split_members
from triggers.core.plan import Rule
from triggers.core.state.cohorts import add_to_cohort, remove_from_cohort
from triggers.core.state.header import Cohort
from triggers.core.state.instance import Instance
from triggers.core.state.rows import TIMER_ROW, timer_key
from triggers.core.state.session import Session
from triggers.core.statuses import RESOLVED, RESOLVED_IN_EDITION_2, SCHEDULED, UNSTARTED, Status
from triggers.core.step import DecisionBuilder
from triggers.errors import TaskNotFound, TooManyCommands

CASCADE_TOO_DEEP: Final = "triggers.CascadeTooDeep"
"""`exceptionType` of an instance that failed because a cascade was too deep to schedule it."""

MAX_COMMAND_BYTES: Final = 32 << 20
"""Maximum size of all commands that one event causes. Without a limit, a large payload that thousands of instances wait
for would exhaust the memory of every worker that reads the event, one after another."""
_COMMAND_BYTES: Final = 512
"""Size of a command without its kwargs, roughly."""

_json: Final = msgspec.json.Encoder().encode


def create_instance(builder: DecisionBuilder, task: str, instance: Instance) -> int:
    """Adds an unstarted instance and returns its number. It waits in no cohort until `join_cohort` is called."""
    number = builder.session.add_instance(task, builder.session.task_state(task), instance)
    builder.record_status(instance_name(task, number), UNSTARTED)
    return number


def join_cohort(builder: DecisionBuilder, task: str, number: int, instance: Instance) -> None:
    """Adds an unstarted instance to its cohort."""
    add_to_cohort(builder.session.task_state(task), number, instance)


def take_over_fills(instance: Instance, cohort: Cohort) -> None:
    """Copies the kwargs and the abandon state of a cohort into an instance that is removed from it."""
    instance.kwargs |= cohort.fills
    instance.unless_seen = cohort.seen


def change_status(builder: DecisionBuilder, task: str, number: int, status: str) -> Instance:
    """Sets an instance's status and updates its time stamp, cohort, timer and the count of unresolved instances."""
    session = builder.session
    instance = session.change_instance(task, number)
    if builder.follow is not None:
        leave_group(builder, task, number, instance)
        resolved = RESOLVED_IN_EDITION_2
    else:
        if instance.status == UNSTARTED and (cohort := remove_from_cohort(session.task_state(task), number)):
            take_over_fills(instance, cohort)
        resolved = RESOLVED
    was_resolved = instance.status in resolved
    instance.status = status
    if (status in resolved) != was_resolved:
        session.count_resolved(task, -1 if was_resolved else 1)
    instance.modified = instance.stamps[status] = builder.time
    stop_timer(session, task, number, instance)
    builder.record_status(instance_name(task, number), status)
    if builder.follow is not None:
        note_status(builder, task, number, instance)
    elif status == UNSTARTED:
        join_cohort(builder, task, number, instance)
    return instance


def start_instance(builder: DecisionBuilder, rule: Rule, number: int, name: str, instance: Instance) -> None:
    """Issues the first attempt of an instance that is in no cohort and has no timer.

    This is the hot path of `schedule`. It saves 2 µs because it looks for neither a cohort nor a timer.
    """
    if builder.cascade_depth > builder.session.plan.limits.max_cascade_depth:
        _fail_too_deep(builder, rule.name, number)
        return
    instance.status = SCHEDULED
    instance.modified = instance.stamps[SCHEDULED] = builder.time
    builder.record_status(name, SCHEDULED)
    _begin_attempt(builder, instance)
    issue_command(builder, rule, name, instance)


def schedule_attempt(builder: DecisionBuilder, task: str, number: int, delay: int = 0) -> None:
    """Issues the instance's next attempt at once, or sets a timer that does so after `delay` milliseconds.

    The instance fails instead if the cascade is deeper than the session's `maxCascadeDepth`. Raises TaskNotFound.
    """
    session, name = builder.session, instance_name(task, number)
    rule = rule_of(session, task)
    if builder.cascade_depth > session.plan.limits.max_cascade_depth:
        _fail_too_deep(builder, task, number)
        return
    instance = change_status(builder, task, number, SCHEDULED)
    _begin_attempt(builder, instance)
    if delay <= 0:
        issue_command(builder, rule, name, instance)
        return
    instance.due = builder.now + delay
    set_timer(builder, name, instance.attempt, instance.due)


def _begin_attempt(builder: DecisionBuilder, instance: Instance) -> None:
    session = builder.session
    if past := session.header.past_attempts:
        instance.attempt = max(instance.attempt, past)
    instance.attempt += 1
    instance.attempt_closed = False
    instance.cascade_depth = builder.cascade_depth
    instance.configuration = session.plan.digest


def issue_command(builder: DecisionBuilder, rule: Rule, name: str, instance: Instance) -> None:
    """Issues the command of the current attempt and sets the deadline for its start. Raises TooManyCommands."""
    command = command_for(builder, rule, name, instance)
    builder.commands.append(command)
    builder.command_bytes += len(command.kwargs) + _COMMAND_BYTES
    if builder.command_bytes > MAX_COMMAND_BYTES:
        raise TooManyCommands(f"one event would cause more than {MAX_COMMAND_BYTES >> 20} MiB of commands")
    if rule.timeouts.scheduled:
        set_deadline(builder, name, instance, rule.timeouts.scheduled)


def set_deadline(builder: DecisionBuilder, name: str, instance: Instance, limit: int) -> None:
    """Sets a timer: the attempt is overdue if it still has the same status after `limit` milliseconds."""
    instance.deadline = builder.now + limit
    set_timer(builder, name, instance.attempt, instance.deadline)


def set_timer(builder: DecisionBuilder, name: str, attempt: int, due: int) -> None:
    """Sets a timer, so that a `TimerFired` for the instance is published at `due`."""
    session = builder.session
    session.write_shared(timer_key(due, session.uid, name, attempt), TIMER_ROW)
    builder.commands.append(SetTimer(session=session.uid, instance=name, attempt=attempt, due=due))


def _fail_too_deep(builder: DecisionBuilder, task: str, number: int) -> None:
    """Fails the instance, because the rules seem to fire one another endlessly. An operator may replay or skip it."""
    limit = builder.session.plan.limits.max_cascade_depth
    instance = change_status(builder, task, number, Status.FAILED)
    text = f"{limit} results in a row led to this instance without an event from outside (maxCascadeDepth)"
    instance.metadata |= exception_metadata(CASCADE_TOO_DEEP, _json({"maxCascadeDepth": limit}), text)
    builder.outcome = Outcome.STOPPED


def exception_metadata(kind: str, context: bytes, info: str) -> dict[str, bytes]:
    """Returns the metadata of a failed instance; `kind` is `module.Class` and `context` is a JSON object."""
    return {"exceptionType": _json(kind), "exceptionContext": context, "exceptionInfo": _json(info)}


def command_for(builder: DecisionBuilder, rule: Rule, name: str, instance: Instance) -> RunTask:
    """Returns the command of the instance's current attempt."""
    return RunTask(
        session=builder.session.uid,
        instance=name,
        attempt=instance.attempt,
        run=rule.run,
        kwargs=task_kwargs(builder.session, rule, instance),
        using=rule.using,
        depth=instance.depth,
        time=builder.time,
    )


def task_kwargs(session: Session, rule: Rule, instance: Instance) -> bytes:
    """Returns the kwargs of the task: trigger -> kwargs, merged over `withParams`. Fired values stay verbatim."""
    kwargs = instance.kwargs
    names = sorted(kwargs) if len(kwargs) > 1 else kwargs
    fired = join_members([encoded_name(name) + session.read_payload(kwargs[name]) for name in names])
    return fired if rule.with_params == b"{}" else merge(rule.with_params, fired)


def replay_instance(builder: DecisionBuilder, task: str, number: int, kwargs: bytes | None, delay: int = 0) -> None:
    """Sets the instance to `replayed` and schedules a copy of it, regardless of `after` and `unless`.

    Raises TaskNotFound, or CallError if the kwargs are not a JSON object, before anything is changed.
    """
    rule_of(builder.session, task)
    replacement = None if kwargs is None else split_members(kwargs)
    parent = change_status(builder, task, number, Status.REPLAYED)
    clone = copy_instance(builder, parent, number)
    if replacement is not None:
        clone.kwargs = {trigger: builder.session.add_payload(value) for trigger, value in replacement.items()}
    schedule_attempt(builder, task, create_instance(builder, task, clone), delay)


def copy_instance(builder: DecisionBuilder, parent: Instance, number: int) -> Instance:
    """Returns an unstarted copy with the same kwargs and abandon state; its depth is one greater."""
    return Instance(
        sequence=builder.session.header.instances,
        created=builder.time,
        kwargs=dict(parent.kwargs),
        unless_seen=list(parent.unless_seen),
        depth=parent.depth + 1,
        parent=number,
    )


def stop_timer(session: Session, task: str, number: int, instance: Instance) -> None:
    """Deletes the instance's timers, if it has any."""
    if instance.timers:
        stop_timers(session, instance_name(task, number), instance)
    if due := instance.due or instance.deadline:
        name = instance_name(task, number)
        session.write_shared(timer_key(due, session.uid, name, instance.attempt), None)
        instance.due = instance.deadline = 0


def rule_of(session: Session, task: str) -> Rule:
    """Returns the rule that the session's current configuration has for the task. Raises TaskNotFound."""
    rule = session.plan.tasks.get(task)
    if rule is None:
        raise TaskNotFound(f"session {session.uid!r} has no task {task!r}")
    return rule
