"""Applies the results that workers report, and timers. Only the first result of the current attempt is applied; all
others are stale."""

from __future__ import annotations

from typing import Final, assert_never

import msgspec

from triggers.core import attempts
from triggers.core.commands import Decision, Outcome
from triggers.core.events import TaskFailed, TaskFinished, TaskRetried, TaskStarted, TaskStatusChanged, TimerFired
from triggers.core.finishing import finish
from triggers.core.fired import FiredKwargs
from triggers.core.kwargs import split_members
from triggers.core.lifecycle import (
    change_status,
    exception_metadata,
    issue_command,
    replay_instance,
    rule_of,
    schedule_attempt,
    set_deadline,
    stop_timer,
)
from triggers.core.rules import fire_trigger
from triggers.core.state.instance import Instance
from triggers.core.state.session import Session
from triggers.core.statuses import Status
from triggers.core.step import DecisionBuilder

TaskResult = TaskStarted | TaskFinished | TaskFailed | TaskStatusChanged | TaskRetried

TIMED_OUT: Final = "triggers.TimedOut"
"""`exceptionType` of an instance whose last attempt was overdue."""

_json: Final = msgspec.json.Encoder().encode


def apply_result(session: Session, event: TaskResult) -> Decision:
    """Applies what a worker reports about an attempt; returns the decision `STALE` if it expects no such report."""
    task, number, instance = session.find_instance(event.instance)
    if not instance.awaits(event.attempt) or (_is_start(event) and instance.status != Status.SCHEDULED):
        return Decision(outcome=Outcome.STALE)
    builder = DecisionBuilder(session, event)
    if builder.follow is not None:
        builder.cascade_depth = instance.cascade_depth
    metadata = split_members(event.metadata) if isinstance(event, TaskStatusChanged | TaskRetried) else {}
    session.change_instance(task, number).attempt_closed = not isinstance(event, TaskStarted)
    match event:
        case TaskStarted():
            _watch(builder, task, change_status(builder, task, number, Status.RUNNING), event.instance)
        case TaskFinished():
            _finish(builder, task, number, event)
        case TaskFailed():
            _fail(_failed(builder, task, number, event), event)
        case TaskStatusChanged():
            change_status(builder, task, number, event.status).metadata |= metadata
        case TaskRetried():
            _retry_instance(builder, (task, number), event, metadata)
        case _:
            assert_never(event)
    return finish(builder)


def _watch(builder: DecisionBuilder, task: str, started: Instance, name: str) -> None:
    rule = rule_of(builder.session, task)
    if builder.follow is not None:
        attempts.watch(builder, rule, name, started)
    elif limit := rule.timeouts.running:
        set_deadline(builder, name, started, limit)


def _failed(builder: DecisionBuilder, task: str, number: int, event: TaskFailed) -> Instance:
    """The instance, which has failed, or waits for its next attempt."""
    instance, config = builder.session.change_instance(task, number), builder.session.plan.tasks.get(task)
    if config is not None and attempts.retries(builder, config, instance, event.exception_type):
        return attempts.wait_for_retry(builder, config, number, event.instance)
    return change_status(builder, task, number, Status.FAILED)


def handle_timer(session: Session, event: TimerFired) -> Decision:
    """Handles a timer of an instance: issues its command after a cooldown, or gives an overdue attempt up."""
    task, number, instance = session.find_instance(event.instance)
    current, builder = event.attempt == instance.attempt, DecisionBuilder(session, event)
    if current and instance.due and event.due in {0, instance.due}:
        stop_timer(session, task, number, session.change_instance(task, number))
        instance.configuration = session.plan.digest
        issue_command(builder, rule_of(session, task), event.instance, instance)
    elif current and instance.deadline and event.due == instance.deadline:
        _handle_overdue(builder, task, number)
    else:
        return Decision(outcome=Outcome.STALE)
    return builder.build()


def _handle_overdue(builder: DecisionBuilder, task: str, number: int) -> None:
    """Schedules the next attempt after an overdue one, or fails the instance if it was the last."""
    session = builder.session
    instance, attempts = session.change_instance(task, number), rule_of(session, task).timeouts.attempts
    if instance.attempt - session.header.past_attempts < attempts:
        builder.cascade_depth = instance.cascade_depth
        schedule_attempt(builder, task, number)
        return
    facts, text = {"status": instance.status, "attempts": attempts}, f"{instance.status} for too long, {attempts} times"
    instance.attempt_closed = True
    change_status(builder, task, number, Status.FAILED).metadata |= exception_metadata(TIMED_OUT, _json(facts), text)


def _is_start(event: TaskResult) -> bool:
    return isinstance(event, TaskStarted)


def _finish(builder: DecisionBuilder, task: str, number: int, event: TaskFinished) -> None:
    instance = change_status(builder, task, number, Status.FINISHED)
    instance.metadata["logLevel"] = _json(event.log_level)
    instance.metadata.pop("result", None)
    instance.result = builder.session.add_payload(event.result)
    builder.cascade_depth = instance.cascade_depth + 1
    fire_trigger(builder, FiredKwargs(builder.session, task, event.result, instance.result))


def _fail(instance: Instance, event: TaskFailed) -> None:
    instance.metadata |= exception_metadata(event.exception_type, event.exception_context, event.exception_info)
    instance.metadata["logLevel"] = _json(event.log_level)


def _retry_instance(
    builder: DecisionBuilder, slot: tuple[str, int], event: TaskRetried, metadata: dict[str, bytes]
) -> None:
    failed = change_status(builder, *slot, Status.FAILED)
    if event.exception_type is not None:
        failed.metadata |= exception_metadata(event.exception_type, event.exception_context, event.exception_info)
    failed.metadata |= metadata
    builder.cascade_depth = failed.cascade_depth
    failed.metadata["cooldown"] = _json(_seconds(event.cooldown_ms))
    again = replay_instance if builder.follow is None else attempts.replay
    again(builder, *slot, event.replacement_kwargs, event.cooldown_ms)


def _seconds(milliseconds: int) -> int | float:
    return milliseconds / 1000 if milliseconds % 1000 else milliseconds // 1000
