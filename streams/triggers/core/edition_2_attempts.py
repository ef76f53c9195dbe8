"""Issues, watches and repeats the attempts of instances in edition 2."""

from __future__ import annotations

from typing import Final

import msgspec

from triggers.core.calling import ArgumentFailed, arguments_of
from triggers.core.commands import Outcome, RunTask
from triggers.core.groups import note_in_flight, set_instance_timer, stop_timers
from triggers.core.kwargs import encoded_name, join_members, split_members
from triggers.core.lifecycle import (
    CASCADE_TOO_DEEP,
    MAX_COMMAND_BYTES,
    change_status,
    copy_instance,
    create_instance,
    note_exception,
    rule_of,
    task_kwargs,
)
from triggers.core.plan import Rule
from triggers.core.state.instance import Instance
from triggers.core.state.loaded_instance import LoadedInstance
from triggers.core.statuses import SCHEDULED, Status
from triggers.core.step import DecisionBuilder
from triggers.core.timer_kinds import TimerKind
from triggers.core.timing import is_retried, retry_wait
from triggers.errors import TooManyCommands

EXPRESSION_ERROR: Final = "triggers.ExpressionError"
"""`exceptionType` of an instance whose arguments could not be worked out."""
TIMED_OUT: Final = "triggers.TimedOut"
"""`exceptionType` of an instance whose attempts were all overdue."""
MAX_RETRIES_EXCEEDED: Final = "triggers.task.MaxRetriesExceeded"
"""`exceptionType` of an instance that has asked to be retried too often: that is for good."""
_COMMAND_BYTES: Final = 512

_json: Final = msgspec.json.Encoder().encode


def start(builder: DecisionBuilder, rule: Rule, loaded: LoadedInstance) -> None:
    """Issues the first attempt of an instance that no longer waits, unless its cascade is too deep."""
    limit = builder.session.plan.limits.max_cascade_depth
    stop_timers(builder.session, loaded)
    loaded.instance.cascade_depth = builder.cascade_depth
    if builder.cascade_depth <= limit:
        issue(builder, rule, loaded)
        return
    depth, builder.cascade_depth = builder.cascade_depth, limit - 1
    text = f"{limit} results in a row led to this instance without an event from outside (maxCascadeDepth)"
    change_status(builder, loaded, Status.FAILED)
    note_exception(loaded.instance.metadata, CASCADE_TOO_DEEP, _json({"maxCascadeDepth": limit}), text)
    builder.cascade_depth, builder.outcome = depth, Outcome.STOPPED


def issue(builder: DecisionBuilder, rule: Rule, loaded: LoadedInstance) -> None:
    """Issues the next attempt, or lets the instance fail if its arguments have no value."""
    session, instance = builder.session, loaded.instance
    try:
        kwargs = _kwargs_of(builder, rule, instance)
    except ArgumentFailed as failed:
        text = f"the expression of {str(failed)!r} has no value, or none that JSON has"
        instance.attempt_closed = True
        change_status(builder, loaded, Status.FAILED)
        note_exception(instance.metadata, EXPRESSION_ERROR, _json({"parameter": str(failed)}), text)
        return
    instance.status = SCHEDULED
    instance.modified = instance.stamps[SCHEDULED] = builder.time
    builder.record_status(loaded.name, SCHEDULED)
    instance.attempt = max(instance.attempt, session.header.past_attempts) + 1
    instance.attempt_closed = False
    instance.configuration = session.plan.digest
    instance.queue = None if rule.edition_2 is None else rule.edition_2.queue
    _command(builder, rule, loaded, kwargs)
    if rule.edition_2 is not None and rule.edition_2.cancel_on is not None:
        note_in_flight(session, loaded)
    watch(builder, rule, loaded)


def _command(builder: DecisionBuilder, rule: Rule, loaded: LoadedInstance, kwargs: bytes) -> None:
    instance = loaded.instance
    command = RunTask(
        session=builder.session.uid,
        instance=loaded.name,
        attempt=instance.attempt,
        run=rule.run,
        kwargs=kwargs,
        using=rule.using,
        depth=instance.depth,
        time=builder.time,
        queue=instance.queue,
    )
    builder.commands.append(command)
    builder.command_bytes += len(kwargs) + _COMMAND_BYTES
    if builder.command_bytes > MAX_COMMAND_BYTES:
        raise TooManyCommands(f"one event would cause more than {MAX_COMMAND_BYTES >> 20} MiB of commands")


def _kwargs_of(builder: DecisionBuilder, rule: Rule, instance: Instance) -> bytes:
    arguments = None if rule.edition_2 is None else rule.edition_2.arguments
    if arguments is None or builder.follow is None:
        return task_kwargs(builder.session, rule, instance)
    kwargs, read = instance.kwargs, builder.session.payloads.read
    fired = join_members([encoded_name(alias) + read(kwargs[alias]) for alias in sorted(kwargs)])
    return arguments_of(arguments, fired, builder.follow.surroundings)


def watch(builder: DecisionBuilder, rule: Rule, loaded: LoadedInstance) -> None:
    """Sets the timer after which an attempt that still has the same status is overdue."""
    limits, status = rule.timeouts, loaded.instance.status
    if limit := limits.scheduled if status == SCHEDULED else limits.running:
        set_instance_timer(builder, loaded, status, builder.now + limit)


def retries(builder: DecisionBuilder, rule: Rule, instance: Instance, exception_type: str) -> bool:
    """Returns whether a failed attempt is tried again."""
    retry = None if rule.edition_2 is None else rule.edition_2.retry
    if retry is None or exception_type == MAX_RETRIES_EXCEEDED:
        return False
    return _number_of(builder, instance) < retry.attempts and is_retried(retry, exception_type)


def wait_for_retry(builder: DecisionBuilder, rule: Rule, loaded: LoadedInstance) -> None:
    """Lets the same instance wait for its next attempt."""
    instance = loaded.instance
    change_status(builder, loaded, SCHEDULED)
    instance.attempt_closed = True
    if rule.edition_2 is not None and rule.edition_2.retry is not None:
        wait = retry_wait(rule.edition_2.retry, builder.session.uid, loaded.name, _number_of(builder, instance))
        set_instance_timer(builder, loaded, TimerKind.RETRY, builder.now + wait)


def overdue(builder: DecisionBuilder, rule: Rule, loaded: LoadedInstance) -> None:
    """Issues the next attempt at once, or lets the instance fail after the last one."""
    limits, retry = rule.timeouts, None if rule.edition_2 is None else rule.edition_2.retry
    instance = loaded.instance
    if not (limits.scheduled if instance.status == SCHEDULED else limits.running):
        return
    attempts = limits.attempts if retry is None else retry.attempts
    if _number_of(builder, instance) < attempts:
        issue(builder, rule, loaded)
        return
    facts, text = {"status": instance.status, "attempts": attempts}, f"{instance.status} for too long, {attempts} times"
    instance.attempt_closed = True
    change_status(builder, loaded, Status.FAILED)
    note_exception(instance.metadata, TIMED_OUT, _json(facts), text)


def _number_of(builder: DecisionBuilder, instance: Instance) -> int:
    return max(0, instance.attempt - builder.session.header.past_attempts)


def replay(builder: DecisionBuilder, loaded: LoadedInstance, kwargs: bytes | None, cooldown: int = 0) -> None:
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
        start(builder, rule, clone)
        return
    copy.cascade_depth = builder.cascade_depth
    copy.stamps[SCHEDULED] = builder.time
    builder.record_status(clone.name, SCHEDULED)
    if rule.edition_2 is not None and rule.edition_2.cancel_on is not None:
        note_in_flight(session, clone)
    set_instance_timer(builder, clone, TimerKind.COOLDOWN, builder.now + cooldown)
