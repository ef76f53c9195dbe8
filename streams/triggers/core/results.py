"""Applies the results that workers report, and timers. Only the first result of the current attempt is applied; all
others are stale."""

from __future__ import annotations

from typing import Final, assert_never

import msgspec

from triggers.core import edition_2_attempts
from triggers.core.commands import Outcome
from triggers.core.decision import Decision
from triggers.core.decision_builder import DecisionBuilder
from triggers.core.events import TaskFailed, TaskFinished, TaskRetried, TaskStarted, TaskStatusChanged, TimerFired
from triggers.core.finishing import finish
from triggers.core.fired_kwargs import FiredKwargs
from triggers.core.kwargs import split_members
from triggers.core.lifecycle import (
    change_status,
    fail_overdue,
    issue_command,
    replay_instance,
    rule_of,
    schedule_attempt,
    set_timeout,
    store_exception,
)
from triggers.core.rules import fire_trigger
from triggers.core.state.loaded_instance import LoadedInstance
from triggers.core.state.session import Session
from triggers.core.statuses import Status
from triggers.core.timer_kinds import TimerKind
from triggers.core.timer_rows import stop_timers

TaskResult = TaskStarted | TaskFinished | TaskFailed | TaskStatusChanged | TaskRetried


_json: Final = msgspec.json.Encoder().encode


def apply_result(session: Session, event: TaskResult) -> Decision:
    """Applies what a worker reports about an attempt. The decision is `STALE` if the instance awaits no such report."""
    loaded = session.instances.find(event.instance)
    instance = loaded.instance
    starts = type(event) is TaskStarted  # `type`, as in `engine.apply`
    if not instance.awaits(event.attempt) or (starts and instance.status != Status.SCHEDULED):
        return Decision(outcome=Outcome.STALE)
    builder = DecisionBuilder(session, event)
    if builder.is_edition_2:
        builder.cascade_depth = instance.cascade_depth
    metadata = _metadata_of(event)
    session.instances.mark_changed(loaded)
    instance.attempt_closed = not starts
    match event:
        case TaskStarted():
            change_status(builder, loaded, Status.RUNNING)
            _limit_running_time(builder, loaded)
        case TaskFinished():
            _finish(builder, loaded, event)
        case TaskFailed():
            _fail(builder, loaded, event)
        case TaskStatusChanged():
            change_status(builder, loaded, event.status)
            instance.metadata |= metadata
        case TaskRetried():
            _retry_instance(builder, loaded, event, metadata)
        case _:
            assert_never(event)
    return finish(builder)


def _metadata_of(event: TaskResult) -> dict[str, bytes]:
    """Returns the metadata that the event sets. Raises CallError if they are no JSON object."""
    if type(event) is TaskStatusChanged or type(event) is TaskRetried:
        return split_members(event.metadata)
    return {}


def _limit_running_time(builder: DecisionBuilder, loaded: LoadedInstance) -> None:
    rule = rule_of(builder.session, loaded.task)
    if builder.is_edition_2:
        edition_2_attempts.set_timeout(builder, rule, loaded)
    elif limit := rule.timeouts.running:
        set_timeout(builder, loaded, limit)


def handle_timer(session: Session, event: TimerFired) -> Decision:
    """Handles a timer of edition 1, which ends a cooldown or gives up an overdue attempt.

    The events of such timers have an attempt and no kind. Those of recorded histories have a kind and no attempt.
    """
    loaded, builder = session.instances.find(event.instance), DecisionBuilder(session, event)
    instance = loaded.instance
    kind = TimerKind.COOLDOWN if instance.due else instance.status
    current = event.attempt == instance.attempt if not event.kind else event.kind == kind
    if current and instance.due and event.due in {0, instance.due}:
        session.instances.mark_changed(loaded)
        stop_timers(session, loaded)
        instance.configuration = session.plan.digest
        issue_command(builder, rule_of(session, loaded.task), loaded)
    elif current and instance.deadline and event.due == instance.deadline:
        _handle_overdue(builder, loaded)
    else:
        return Decision(outcome=Outcome.STALE)
    return builder.build()


def _handle_overdue(builder: DecisionBuilder, loaded: LoadedInstance) -> None:
    """Schedules the next attempt after an overdue one, or lets the instance fail if it was the last."""
    session, instance = builder.session, loaded.instance
    attempts = rule_of(session, loaded.task).timeouts.attempts
    if instance.attempt - session.header.past_attempts < attempts:
        builder.cascade_depth = instance.cascade_depth
        schedule_attempt(builder, loaded)
    else:
        fail_overdue(builder, loaded, attempts)


def _finish(builder: DecisionBuilder, loaded: LoadedInstance, event: TaskFinished) -> None:
    session, instance = builder.session, loaded.instance
    change_status(builder, loaded, Status.FINISHED)
    instance.metadata["logLevel"] = _json(event.log_level)
    instance.metadata.pop("result", None)
    instance.result = session.payloads.add(event.result)
    builder.cascade_depth = instance.cascade_depth + 1
    fire_trigger(builder, FiredKwargs(session, loaded.task, event.result, instance.result))


def _fail(builder: DecisionBuilder, loaded: LoadedInstance, event: TaskFailed) -> None:
    """Lets the instance fail, or wait for its next attempt if its rule retries this failure."""
    rule = builder.session.plan.tasks.get(loaded.task)
    if rule is not None and edition_2_attempts.may_retry(builder, rule, loaded.instance, event.exception_type):
        edition_2_attempts.wait_for_retry(builder, rule, loaded)
    else:
        change_status(builder, loaded, Status.FAILED)
    metadata = loaded.instance.metadata
    _set_exception(metadata, event.exception_type, event)
    metadata["logLevel"] = _json(event.log_level)


def _set_exception(metadata: dict[str, bytes], kind: str, event: TaskFailed | TaskRetried) -> None:
    store_exception(metadata, kind, event.exception_context, event.exception_info, event.exception_message)


def _retry_instance(
    builder: DecisionBuilder, loaded: LoadedInstance, event: TaskRetried, metadata: dict[str, bytes]
) -> None:
    failed = loaded.instance
    change_status(builder, loaded, Status.FAILED)
    if event.exception_type is not None:
        _set_exception(failed.metadata, event.exception_type, event)
    failed.metadata |= metadata
    builder.cascade_depth = failed.cascade_depth
    failed.metadata["cooldown"] = _json(_seconds(event.cooldown_ms))
    replay = edition_2_attempts.replay_instance if builder.is_edition_2 else replay_instance
    replay(builder, loaded, event.replacement_kwargs, event.cooldown_ms)


def _seconds(milliseconds: int) -> int | float:
    return milliseconds / 1000 if milliseconds % 1000 else milliseconds // 1000
