"""Issues, watches and repeats the attempts of instances in edition 2."""

from __future__ import annotations

from typing import Final

import msgspec

from triggers.core.calling import ArgumentFailed, encode_arguments
from triggers.core.commands import RunTask
from triggers.core.decision_builder import DecisionBuilder
from triggers.core.groups import update_in_flight
from triggers.core.kwargs import encoded_name, join_members, split_members
from triggers.core.lifecycle import (
    add_command,
    change_status,
    copy_instance,
    create_instance,
    fail_overdue,
    fail_too_deep,
    rule_of,
    store_exception,
    task_kwargs,
)
from triggers.core.plan import Rule
from triggers.core.state.instance import Instance
from triggers.core.state.loaded_instance import LoadedInstance
from triggers.core.statuses import SCHEDULED, Status
from triggers.core.timer_kinds import TimerKind
from triggers.core.timer_rows import set_timer_of_kind, stop_timers_of_kinds
from triggers.core.timing import is_retried, retry_wait

EXPRESSION_ERROR: Final = "triggers.ExpressionError"
"""`exceptionType` of an instance whose arguments could not be evaluated."""
MAX_RETRIES_EXCEEDED: Final = "triggers.task.MaxRetriesExceeded"
"""`exceptionType` of an instance whose task has asked for too many retries. `retry` does not try it again."""

_json: Final = msgspec.json.Encoder().encode


def start_instance(builder: DecisionBuilder, rule: Rule, loaded: LoadedInstance) -> None:
    """Issues the first attempt of an instance that no longer waits, unless its cascade is too deep."""
    limit = builder.session.plan.limits.max_cascade_depth
    stop_timers_of_kinds(builder.session, loaded)
    loaded.instance.cascade_depth = builder.cascade_depth
    if builder.cascade_depth <= limit:
        issue_attempt(builder, rule, loaded)
        return
    depth, builder.cascade_depth = builder.cascade_depth, limit - 1  # lets its outcome trigger fire
    fail_too_deep(builder, loaded)
    builder.cascade_depth = depth


def issue_attempt(builder: DecisionBuilder, rule: Rule, loaded: LoadedInstance) -> None:
    """Issues the next attempt, or lets the instance fail if an argument cannot be evaluated."""
    session, instance = builder.session, loaded.instance
    try:
        kwargs = _kwargs_of(builder, rule, instance)
    except ArgumentFailed as failed:
        text = f"the expression of {str(failed)!r} has no value, or none that JSON has"
        instance.attempt_closed = True
        change_status(builder, loaded, Status.FAILED)
        store_exception(instance.metadata, EXPRESSION_ERROR, _json({"parameter": str(failed)}), text)
        return
    instance.status = SCHEDULED
    instance.modified = instance.stamps[SCHEDULED] = builder.time
    builder.record_status(loaded.name, SCHEDULED)
    instance.attempt = max(instance.attempt, session.header.past_attempts) + 1
    instance.attempt_closed = False
    instance.configuration = session.plan.digest
    instance.queue = None if rule.edition_2 is None else rule.edition_2.queue
    add_command(builder, _command_for(builder, rule, loaded, kwargs))
    if rule.edition_2 is not None and rule.edition_2.cancel_on is not None:
        update_in_flight(session, loaded)
    set_timeout(builder, rule, loaded)


def _command_for(builder: DecisionBuilder, rule: Rule, loaded: LoadedInstance, kwargs: bytes) -> RunTask:
    instance = loaded.instance
    return RunTask(
        session=builder.session.uid,
        instance=loaded.name,
        attempt=instance.attempt,
        run=rule.run,
        kwargs=kwargs,
        using=rule.using,
        depth=instance.depth,
        time=builder.time,
        queue=instance.queue,
        spans=instance.spans,
    )


def _kwargs_of(builder: DecisionBuilder, rule: Rule, instance: Instance) -> bytes:
    arguments = None if rule.edition_2 is None else rule.edition_2.arguments
    if arguments is None or builder.follow is None:
        return task_kwargs(builder.session, rule, instance)
    kwargs, read = instance.kwargs, builder.session.payloads.read
    fired = join_members([encoded_name(alias) + read(kwargs[alias]) for alias in sorted(kwargs)])
    return encode_arguments(arguments, fired, builder.follow.evaluator)


def set_timeout(builder: DecisionBuilder, rule: Rule, loaded: LoadedInstance) -> None:
    """Sets the timer after which an attempt that still has the same status is overdue."""
    limits, status = rule.timeouts, loaded.instance.status
    if limit := limits.scheduled if status == SCHEDULED else limits.running:
        set_timer_of_kind(builder, loaded, status, builder.now + limit)


def may_retry(builder: DecisionBuilder, rule: Rule, instance: Instance, exception_type: str) -> bool:
    """Returns whether the rule retries a failed attempt."""
    retry = None if rule.edition_2 is None else rule.edition_2.retry
    if retry is None or exception_type == MAX_RETRIES_EXCEEDED:
        return False
    return _attempts_made(builder, instance) < retry.attempts and is_retried(retry, exception_type)


def wait_for_retry(builder: DecisionBuilder, rule: Rule, loaded: LoadedInstance) -> None:
    """Lets an instance whose attempt has failed wait for its next attempt."""
    instance = loaded.instance
    change_status(builder, loaded, SCHEDULED)
    instance.attempt_closed = True
    if rule.edition_2 is not None and rule.edition_2.retry is not None:
        wait = retry_wait(rule.edition_2.retry, builder.session.uid, loaded.name, _attempts_made(builder, instance))
        set_timer_of_kind(builder, loaded, TimerKind.RETRY, builder.now + wait)


def handle_overdue(builder: DecisionBuilder, rule: Rule, loaded: LoadedInstance) -> None:
    """Issues the next attempt at once, or lets the instance fail after the last one."""
    limits, retry = rule.timeouts, None if rule.edition_2 is None else rule.edition_2.retry
    instance = loaded.instance
    if not (limits.scheduled if instance.status == SCHEDULED else limits.running):
        return
    attempts = limits.attempts if retry is None else retry.attempts
    if _attempts_made(builder, instance) < attempts:
        issue_attempt(builder, rule, loaded)
        return
    fail_overdue(builder, loaded, attempts)


def _attempts_made(builder: DecisionBuilder, instance: Instance) -> int:
    """Returns the number of attempts so far, without those of a deleted session of this UID."""
    return max(0, instance.attempt - builder.session.header.past_attempts)


def replay_instance(builder: DecisionBuilder, loaded: LoadedInstance, kwargs: bytes | None, cooldown: int = 0) -> None:
    """Marks the instance as `replayed` and schedules a copy of it, at once or after the cooldown.

    Raises TaskNotFound, or CallError for kwargs that are no JSON object, before anything is changed.
    """
    session = builder.session
    rule = rule_of(session, loaded.task)
    replacement = None if kwargs is None else split_members(kwargs)
    change_status(builder, loaded, Status.REPLAYED)
    copy = copy_instance(builder, loaded)
    copy.status = SCHEDULED
    if replacement is not None:
        copy.kwargs = {alias: session.payloads.add(value) for alias, value in replacement.items()}
    clone = create_instance(builder, loaded.task, copy)
    if not cooldown:
        start_instance(builder, rule, clone)
        return
    copy.cascade_depth = builder.cascade_depth
    copy.stamps[SCHEDULED] = builder.time
    builder.record_status(clone.name, SCHEDULED)
    if rule.edition_2 is not None and rule.edition_2.cancel_on is not None:
        update_in_flight(session, clone)
    set_timer_of_kind(builder, clone, TimerKind.COOLDOWN, builder.now + cooldown)
