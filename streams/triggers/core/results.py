"""Applies the results that workers report, and timers. Only the first result of the current attempt is applied; all
others are stale."""

from __future__ import annotations

from typing import Final, assert_never

import msgspec

from triggers.core.commands import Decision, Outcome
from triggers.core.events import TaskFailed, TaskFinished, TaskRetried, TaskStarted, TaskStatusChanged, TimerFired
from triggers.core.fired import Fired
from triggers.core.kwargs import members_of
from triggers.core.lifecycle import exception_metadata, issue, move, replay, rule_of, schedule, stop_timer, watch
from triggers.core.rules import fire
from triggers.core.state.instance import Instance
from triggers.core.state.session import Session
from triggers.core.statuses import Status
from triggers.core.step import Step

TaskResult = TaskStarted | TaskFinished | TaskFailed | TaskStatusChanged | TaskRetried

TIMED_OUT: Final = "triggers.TimedOut"
"""`exceptionType` of an instance whose last attempt was overdue."""

_json: Final = msgspec.json.Encoder().encode


def apply_result(session: Session, event: TaskResult) -> Decision:
    """Applies what a worker reports about an attempt; returns the decision `STALE` if it expects no such report."""
    task, number, instance = session.find(event.instance)
    if not instance.awaits(event.attempt) or (_is_start(event) and instance.status != Status.SCHEDULED):
        return Decision(outcome=Outcome.STALE)
    step = Step(session, event)
    metadata = members_of(event.metadata) if isinstance(event, TaskStatusChanged | TaskRetried) else {}
    session.change(task, number).settled = not isinstance(event, TaskStarted)
    match event:
        case TaskStarted():
            started = move(step, task, number, Status.RUNNING)
            if limit := rule_of(session, task).timeouts.running:
                watch(step, event.instance, started, limit)
        case TaskFinished():
            _finish(step, task, number, event)
        case TaskFailed():
            _fail(move(step, task, number, Status.FAILED), event)
        case TaskStatusChanged():
            move(step, task, number, event.status).metadata |= metadata
        case TaskRetried():
            _retry(step, (task, number), event, metadata)
        case _:
            assert_never(event)
    return step.decision()


def run_due(session: Session, event: TimerFired) -> Decision:
    """Handles a timer of an instance: issues its command after a cooldown, or gives an overdue attempt up."""
    task, number, instance = session.find(event.instance)
    current, step = event.attempt == instance.attempt, Step(session, event)
    if current and instance.due and event.due in {0, instance.due}:
        stop_timer(session, task, number, session.change(task, number))
        instance.configuration = session.plan.digest
        issue(step, rule_of(session, task), event.instance, instance)
    elif current and instance.deadline and event.due == instance.deadline:
        _give_up(step, task, number)
    else:
        return Decision(outcome=Outcome.STALE)
    return step.decision()


def _give_up(step: Step, task: str, number: int) -> None:
    """Schedules the next attempt after an overdue one, or fails the instance if it was the last."""
    session = step.session
    instance, most = session.change(task, number), rule_of(session, task).timeouts.attempts
    if instance.attempt - session.header.past_attempts < most:
        step.cascade_depth = instance.cascade_depth
        schedule(step, task, number)
        return
    facts, text = {"status": instance.status, "attempts": most}, f"{instance.status} for too long, {most} times"
    instance.settled = True
    move(step, task, number, Status.FAILED).metadata |= exception_metadata(TIMED_OUT, _json(facts), text)


def _is_start(event: TaskResult) -> bool:
    return isinstance(event, TaskStarted)


def _finish(step: Step, task: str, number: int, event: TaskFinished) -> None:
    instance = move(step, task, number, Status.FINISHED)
    instance.metadata["logLevel"] = _json(event.log_level)
    instance.metadata.pop("result", None)
    instance.result = step.session.add_payload(event.result)
    step.cascade_depth = instance.cascade_depth + 1
    fire(step, Fired(step.session, task, event.result, instance.result))


def _fail(instance: Instance, event: TaskFailed) -> None:
    instance.metadata |= exception_metadata(event.exception_type, event.exception_context, event.exception_info)
    instance.metadata["logLevel"] = _json(event.log_level)


def _retry(step: Step, of: tuple[str, int], event: TaskRetried, metadata: dict[str, bytes]) -> None:
    failed = move(step, *of, Status.FAILED)
    if event.exception_type is not None:
        failed.metadata |= exception_metadata(event.exception_type, event.exception_context, event.exception_info)
    failed.metadata |= metadata
    step.cascade_depth = failed.cascade_depth
    failed.metadata["cooldown"] = _json(_seconds(event.cooldown_ms))
    replay(step, *of, event.replacement_kwargs, event.cooldown_ms)


def _seconds(milliseconds: int) -> int | float:
    return milliseconds / 1000 if milliseconds % 1000 else milliseconds // 1000
