"""The life cycle of an instance: creation, scheduling, changes of its status, replay."""

from __future__ import annotations

from typing import Final

import msgspec

from triggers.core.commands import Outcome, RunTask, SetTimer
from triggers.core.instance_names import instance_name
from triggers.core.kwargs import joined, members_of, merge, start_of
from triggers.core.plan import TaskConfig
from triggers.core.state.cohorts import join, leave
from triggers.core.state.header import Cohort
from triggers.core.state.instance import Instance
from triggers.core.state.rows import TIMER_ROW, timer_key
from triggers.core.state.session import Session
from triggers.core.statuses import RESOLVED, SCHEDULED, UNSTARTED, Status
from triggers.core.step import Step
from triggers.errors import TaskNotFound, TooManyCommands

CASCADE_TOO_DEEP: Final = "triggers.CascadeTooDeep"
"""`exceptionType` of an instance that failed because a cascade was too deep to schedule it."""

MAX_COMMAND_BYTES: Final = 32 << 20
"""Maximum size of all commands that one event causes. Without a limit, a large payload that thousands of instances wait
for would exhaust the memory of every worker that reads the event, one after another."""
_COMMAND_BYTES: Final = 512
"""Size of a command without its kwargs, roughly."""

_json: Final = msgspec.json.Encoder().encode


def create(step: Step, task: str, instance: Instance) -> int:
    """Adds an unstarted instance and returns its number. It waits in no cohort until `join_cohort` is called."""
    number = step.session.add_instance(task, step.session.task_state(task), instance)
    step.note(instance_name(task, number), UNSTARTED)
    return number


def join_cohort(step: Step, task: str, number: int, instance: Instance) -> None:
    """Adds an unstarted instance to its cohort."""
    join(step.session.task_state(task), number, instance)


def settle(instance: Instance, cohort: Cohort) -> None:
    """Copies the kwargs and the abandon state of a cohort into an instance that is removed from it."""
    instance.kwargs |= cohort.fills
    instance.seen = cohort.seen


def move(step: Step, task: str, number: int, status: str) -> Instance:
    """Sets an instance's status and updates its time stamp, cohort, timer and the count of unresolved instances."""
    session = step.session
    instance = session.change(task, number)
    if instance.status == UNSTARTED and (cohort := leave(session.task_state(task), number)):
        settle(instance, cohort)
    was_resolved = instance.status in RESOLVED
    instance.status = status
    if (status in RESOLVED) != was_resolved:
        session.count_resolved(task, -1 if was_resolved else 1)
    instance.modified = instance.stamps[status] = step.time
    stop_timer(session, task, number, instance)
    if status == UNSTARTED:
        join_cohort(step, task, number, instance)
    step.note(instance_name(task, number), status)
    return instance


def start(step: Step, rule: TaskConfig, number: int, name: str, instance: Instance) -> None:
    """Issues the first attempt of an instance that is in no cohort and has no timer.

    This is the hot path of `schedule`. It saves 2 µs because it looks for neither a cohort nor a timer.
    """
    if step.cascade_depth > step.session.plan.limits.max_cascade_depth:
        _stop_cascade(step, rule.name, number)
        return
    instance.status = SCHEDULED
    instance.modified = instance.stamps[SCHEDULED] = step.time
    step.note(name, SCHEDULED)
    _count_attempt(step, instance)
    issue(step, rule, name, instance)


def schedule(step: Step, task: str, number: int, delay: int = 0) -> None:
    """Issues the instance's next attempt at once, or sets a timer that does so after `delay` milliseconds.

    The instance fails instead if the cascade is deeper than the session's `maxCascadeDepth`. Raises TaskNotFound.
    """
    session, name = step.session, instance_name(task, number)
    rule = rule_of(session, task)
    if step.cascade_depth > session.plan.limits.max_cascade_depth:
        _stop_cascade(step, task, number)
        return
    instance = move(step, task, number, SCHEDULED)
    _count_attempt(step, instance)
    if delay <= 0:
        issue(step, rule, name, instance)
        return
    instance.due = step.now + delay
    set_timer(step, name, instance.attempt, instance.due)


def _count_attempt(step: Step, instance: Instance) -> None:
    session = step.session
    if past := session.header.past_attempts:
        instance.attempt = max(instance.attempt, past)
    instance.attempt += 1
    instance.settled = False
    instance.cascade_depth = step.cascade_depth
    instance.configuration = session.plan.digest


def issue(step: Step, rule: TaskConfig, name: str, instance: Instance) -> None:
    """Issues the command of the current attempt and sets the deadline for its start. Raises TooManyCommands."""
    command = run_task(step, rule, name, instance)
    step.commands.append(command)
    step.command_bytes += len(command.kwargs) + _COMMAND_BYTES
    if step.command_bytes > MAX_COMMAND_BYTES:
        raise TooManyCommands(f"one event would cause more than {MAX_COMMAND_BYTES >> 20} MiB of commands")
    if rule.timeouts.scheduled:
        watch(step, name, instance, rule.timeouts.scheduled)


def watch(step: Step, name: str, instance: Instance, limit: int) -> None:
    """Sets a timer: the attempt is overdue if it still has the same status after `limit` milliseconds."""
    instance.deadline = step.now + limit
    set_timer(step, name, instance.attempt, instance.deadline)


def set_timer(step: Step, name: str, attempt: int, due: int) -> None:
    """Sets a timer, so that a `TimerFired` for the instance is published at `due`."""
    session = step.session
    session.write_shared(timer_key(due, session.uid, name, attempt), TIMER_ROW)
    step.commands.append(SetTimer(session=session.uid, instance=name, attempt=attempt, due=due))


def _stop_cascade(step: Step, task: str, number: int) -> None:
    """Fails the instance, because the rules seem to fire one another endlessly. An operator may replay or skip it."""
    limit = step.session.plan.limits.max_cascade_depth
    instance = move(step, task, number, Status.FAILED)
    text = f"{limit} results in a row led to this instance without an event from outside (maxCascadeDepth)"
    instance.metadata |= exception_metadata(CASCADE_TOO_DEEP, _json({"maxCascadeDepth": limit}), text)
    step.outcome = Outcome.STOPPED


def exception_metadata(kind: str, context: bytes, info: str) -> dict[str, bytes]:
    """Returns the metadata of a failed instance; `kind` is `module.Class` and `context` is a JSON object."""
    return {"exceptionType": _json(kind), "exceptionContext": context, "exceptionInfo": _json(info)}


def run_task(step: Step, rule: TaskConfig, name: str, instance: Instance) -> RunTask:
    """Returns the command of the instance's current attempt."""
    return RunTask(
        session=step.session.uid,
        instance=name,
        attempt=instance.attempt,
        run=rule.run,
        kwargs=task_kwargs(step.session, rule, instance),
        using=rule.using,
        depth=instance.depth,
        time=step.time,
    )


def task_kwargs(session: Session, rule: TaskConfig, instance: Instance) -> bytes:
    """Returns the kwargs of the task: trigger -> kwargs, merged over `withParams`. Fired values stay verbatim."""
    kwargs = instance.kwargs
    names = sorted(kwargs) if len(kwargs) > 1 else kwargs
    fired = joined([start_of(name) + session.payload(kwargs[name]) for name in names])
    return fired if rule.with_params == b"{}" else merge(rule.with_params, fired)


def replay(step: Step, task: str, number: int, kwargs: bytes | None, delay: int = 0) -> None:
    """Sets the instance to `replayed` and schedules a copy of it, regardless of `after` and `unless`.

    Raises TaskNotFound, or CallError if the kwargs are not a JSON object, before anything is changed.
    """
    rule_of(step.session, task)
    replacement = None if kwargs is None else members_of(kwargs)
    parent = move(step, task, number, Status.REPLAYED)
    clone = copy_of(step, parent, number)
    if replacement is not None:
        clone.kwargs = {trigger: step.session.add_payload(value) for trigger, value in replacement.items()}
    schedule(step, task, create(step, task, clone), delay)


def copy_of(step: Step, parent: Instance, number: int) -> Instance:
    """Returns an unstarted copy with the same kwargs and abandon state; its depth is one greater."""
    return Instance(
        sequence=step.session.header.instances,
        created=step.time,
        kwargs=dict(parent.kwargs),
        seen=list(parent.seen),
        depth=parent.depth + 1,
        parent=number,
    )


def stop_timer(session: Session, task: str, number: int, instance: Instance) -> None:
    """Deletes the instance's timer, if it has one."""
    if due := instance.due or instance.deadline:
        name = instance_name(task, number)
        session.write_shared(timer_key(due, session.uid, name, instance.attempt), None)
        instance.due = instance.deadline = 0


def rule_of(session: Session, task: str) -> TaskConfig:
    """Returns the rule that the session's current configuration has for the task. Raises TaskNotFound."""
    rule = session.plan.tasks.get(task)
    if rule is None:
        raise TaskNotFound(f"session {session.uid!r} has no task {task!r}")
    return rule
