"""The life cycle of an instance: creation, scheduling, changes of its status, replay."""

from __future__ import annotations

from typing import Final

import msgspec

from triggers.core.commands import CancelTask, Outcome, RunTask
from triggers.core.decision_builder import DecisionBuilder
from triggers.core.groups import handle_status, remove_from_group
from triggers.core.joined_spans import add_spans
from triggers.core.kwargs import encoded_name, join_members, merge, split_members
from triggers.core.plan import Rule
from triggers.core.state.cohorts import add_to_cohort, remove_from_cohort
from triggers.core.state.fire_spans import spans_of_instance
from triggers.core.state.header_parts import Cohort
from triggers.core.state.instance import Instance
from triggers.core.state.loaded_instance import LoadedInstance
from triggers.core.state.session import Session
from triggers.core.statuses import CANCELLED, RESOLVED, RESOLVED_IN_EDITION_2, SCHEDULED, UNSTARTED, Status
from triggers.core.timer_rows import set_timer, stop_timers
from triggers.errors import TaskNotFound, TooManyCommands

CASCADE_TOO_DEEP: Final = "triggers.CascadeTooDeep"
"""`exceptionType` of an instance that failed because a cascade was too deep to schedule it."""
TIMED_OUT: Final = "triggers.TimedOut"
"""`exceptionType` of an instance whose last attempt was overdue."""

MAX_COMMAND_BYTES: Final = 32 << 20
"""Maximum size of all commands that one event causes. Without a limit, a large payload that thousands of instances wait
for would exhaust the memory of every worker that reads the event, one after another."""
_COMMAND_BYTES: Final = 512
"""Size of a command without its kwargs, roughly."""

_json: Final = msgspec.json.Encoder().encode


def create_instance(builder: DecisionBuilder, task: str, instance: Instance) -> LoadedInstance:
    """Adds an unstarted instance and returns it. It is in no cohort until `join_cohort` is called."""
    session = builder.session
    loaded = session.instances.add(task, session.task_state(task), instance)
    builder.record_status(loaded.name, UNSTARTED)
    return loaded


def join_cohort(builder: DecisionBuilder, loaded: LoadedInstance) -> None:
    """Adds an unstarted instance to its cohort."""
    add_to_cohort(builder.session.task_state(loaded.task), loaded)


def take_over_fills(instance: Instance, cohort: Cohort) -> None:
    """Copies the kwargs and the abandon state of a cohort into an instance that is removed from it.

    Only an instance that goes on waiting needs to know when they were fired (`core.state.held_fires`).
    """
    instance.kwargs |= cohort.fills
    instance.unless_seen = cohort.seen
    instance.fired = None


def change_status(builder: DecisionBuilder, loaded: LoadedInstance, status: str) -> None:
    """Sets an instance's status and updates its timestamp, cohort, timer and the count of unresolved instances."""
    session, task, instance = builder.session, loaded.task, loaded.instance
    session.instances.mark_changed(loaded)
    if builder.is_edition_2:
        remove_from_group(builder, loaded)
        resolved = RESOLVED_IN_EDITION_2
    else:
        if instance.status == UNSTARTED and (cohort := remove_from_cohort(session.task_state(task), loaded.number)):
            take_over_fills(instance, cohort)
        resolved = RESOLVED
    was_resolved = instance.status in resolved
    instance.status = status
    if (status in resolved) != was_resolved:
        session.instances.count_resolved(session.task_state(task), -1 if was_resolved else 1)
    instance.modified = instance.stamps[status] = builder.time
    stop_timers(session, loaded)
    builder.record_status(loaded.name, status)
    if builder.is_edition_2:
        handle_status(builder, loaded)
    elif status == UNSTARTED:
        join_cohort(builder, loaded)


def cancel_instance(builder: DecisionBuilder, loaded: LoadedInstance, *, terminate: bool) -> None:
    """Ends an instance of edition 2 and withdraws the command of its open attempt."""
    instance, follow = loaded.instance, builder.follow
    if follow is not None and instance.attempt and not instance.attempt_closed:
        follow.cancels.append(
            CancelTask(
                session=builder.session.uid,
                instance=loaded.name,
                attempt=instance.attempt,
                terminate=terminate,
                queue=instance.queue,
            )
        )
    instance.attempt_closed = True
    change_status(builder, loaded, CANCELLED)


def start_instance(builder: DecisionBuilder, rule: Rule, loaded: LoadedInstance) -> None:
    """Issues the first attempt of an instance that is in no cohort and has no timer.

    This is the hot path of `schedule_attempt`. It saves 2 µs because it looks for neither a cohort nor a timer.
    """
    if builder.cascade_depth > builder.session.plan.limits.max_cascade_depth:
        fail_too_deep(builder, loaded)
        return
    instance = loaded.instance
    instance.status = SCHEDULED
    instance.modified = instance.stamps[SCHEDULED] = builder.time
    builder.record_status(loaded.name, SCHEDULED)
    _begin_attempt(builder, instance)
    issue_command(builder, rule, loaded)


def schedule_attempt(builder: DecisionBuilder, loaded: LoadedInstance, delay: int = 0) -> None:
    """Issues the instance's next attempt at once, or sets a timer that does so after `delay` milliseconds.

    The instance fails instead if the cascade is deeper than the session's `maxCascadeDepth`. Raises TaskNotFound.
    """
    session = builder.session
    rule = rule_of(session, loaded.task)
    if builder.cascade_depth > session.plan.limits.max_cascade_depth:
        fail_too_deep(builder, loaded)
        return
    change_status(builder, loaded, SCHEDULED)
    _begin_attempt(builder, loaded.instance)
    if delay <= 0:
        issue_command(builder, rule, loaded)
        return
    loaded.instance.due = builder.now + delay
    set_timer(builder, loaded, loaded.instance.due)


def _begin_attempt(builder: DecisionBuilder, instance: Instance) -> None:
    session = builder.session
    before = instance.attempt
    if session.spans and not before and instance.parent < 0:  # copies have the spans of their originals
        held = spans_of_instance(session.spans, instance.sequence, instance.kwargs)
        instance.spans = add_spans(held, instance.spans)
    past = session.header.past_attempts
    instance.attempt = (before if before > past else past) + 1  # `max` takes 1,000 instructions in the interpreter
    instance.attempt_closed = False
    if before or builder.cascade_depth:  # without an earlier attempt it is 0
        instance.cascade_depth = builder.cascade_depth
    instance.configuration = session.plan.digest


def issue_command(builder: DecisionBuilder, rule: Rule, loaded: LoadedInstance) -> None:
    """Issues the command of the current attempt and sets the timeout of its start. Raises TooManyCommands."""
    add_command(builder, command_for(builder, rule, loaded))
    if rule.timeouts.scheduled:
        set_timeout(builder, loaded, rule.timeouts.scheduled)


def add_command(builder: DecisionBuilder, command: RunTask) -> None:
    """Adds a command to the decision. Raises TooManyCommands if the event causes more than fits into memory."""
    builder.commands.append(command)
    builder.command_bytes += len(command.kwargs) + _COMMAND_BYTES
    if builder.command_bytes > MAX_COMMAND_BYTES:
        raise TooManyCommands(f"one event would cause more than {MAX_COMMAND_BYTES >> 20} MiB of commands")


def set_timeout(builder: DecisionBuilder, loaded: LoadedInstance, limit: int) -> None:
    """Sets the timer after which the attempt is overdue if it still has the same status. `limit` is milliseconds."""
    loaded.instance.deadline = builder.now + limit
    set_timer(builder, loaded, loaded.instance.deadline)


def fail_too_deep(builder: DecisionBuilder, loaded: LoadedInstance) -> None:
    """Lets the instance fail, because the rules seem to fire one another endlessly."""
    limit = builder.session.plan.limits.max_cascade_depth
    change_status(builder, loaded, Status.FAILED)
    text = f"{limit} results in a row led to this instance without an event from outside (maxCascadeDepth)"
    store_exception(loaded.instance.metadata, CASCADE_TOO_DEEP, _json({"maxCascadeDepth": limit}), text)
    builder.outcome = Outcome.STOPPED


def fail_overdue(builder: DecisionBuilder, loaded: LoadedInstance, attempts: int) -> None:
    """Lets the instance fail, because the last of its attempts is overdue."""
    instance = loaded.instance
    context = {"status": instance.status, "attempts": attempts}
    text = f"{instance.status} for too long, {attempts} times"
    instance.attempt_closed = True
    change_status(builder, loaded, Status.FAILED)
    store_exception(instance.metadata, TIMED_OUT, _json(context), text)


def store_exception(metadata: dict[str, bytes], kind: str, context: bytes, info: str, message: str = "") -> None:
    """Stores an exception in the metadata of an instance, in place of that of an earlier attempt.

    `kind` is `module.Class` and `context` is a JSON object. An empty message is omitted, so that events of earlier
    releases lead to the same rows as before.
    """
    metadata |= {"exceptionType": _json(kind), "exceptionContext": context, "exceptionInfo": _json(info)}
    metadata.pop("exceptionMessage", None)
    if message:
        metadata["exceptionMessage"] = _json(message)


def command_for(builder: DecisionBuilder, rule: Rule, loaded: LoadedInstance) -> RunTask:
    """Returns the command of the instance's current attempt."""
    instance = loaded.instance
    return RunTask(
        session=builder.session.uid,
        instance=loaded.name,
        attempt=instance.attempt,
        run=rule.run,
        kwargs=task_kwargs(builder.session, rule, instance),
        using=rule.using,
        depth=instance.depth,
        time=builder.time,
        spans=instance.spans,
    )


def task_kwargs(session: Session, rule: Rule, instance: Instance) -> bytes:
    """Returns the kwargs of the task: trigger -> kwargs, merged over `withParams`. Fired values stay verbatim."""
    kwargs = instance.kwargs
    names = list(kwargs)
    if len(names) > 1:
        names.sort()
    fired = join_members([encoded_name(name) + session.payloads.read(kwargs[name]) for name in names])
    return fired if rule.with_params == b"{}" else merge(rule.with_params, fired)


def replay_instance(builder: DecisionBuilder, loaded: LoadedInstance, kwargs: bytes | None, delay: int = 0) -> None:
    """Sets the instance to `replayed` and schedules a copy of it, regardless of `after` and `unless`.

    Raises TaskNotFound, or CallError if the kwargs are not a JSON object, before anything is changed.
    """
    session = builder.session
    rule_of(session, loaded.task)
    replacement = None if kwargs is None else split_members(kwargs)
    change_status(builder, loaded, Status.REPLAYED)
    copy = copy_instance(builder, loaded)
    if replacement is not None:
        copy.kwargs = {trigger: session.payloads.add(value) for trigger, value in replacement.items()}
    schedule_attempt(builder, create_instance(builder, loaded.task, copy), delay)


def copy_instance(builder: DecisionBuilder, loaded: LoadedInstance) -> Instance:
    """Returns an unstarted copy with the same kwargs and abandon state; its depth is one greater."""
    parent = loaded.instance
    return Instance(
        sequence=builder.session.header.instances,
        created=builder.time,
        kwargs=dict(parent.kwargs),
        unless_seen=list(parent.unless_seen),
        depth=parent.depth + 1,
        parent=loaded.number,
        spans=add_spans(parent.spans, builder.span),
    )


def rule_of(session: Session, task: str) -> Rule:
    """Returns the rule that the session's current configuration has for the task. Raises TaskNotFound."""
    rule = session.plan.tasks.get(task)
    if rule is None:
        raise TaskNotFound(f"session {session.uid!r} has no task {task!r}")
    return rule
