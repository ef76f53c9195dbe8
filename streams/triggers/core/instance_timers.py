"""Handles due timers of instances of edition 2."""

from __future__ import annotations

from triggers.core import attempts
from triggers.core.commands import Decision, Outcome
from triggers.core.events import TimerFired
from triggers.core.finishing import finish
from triggers.core.groups import leave_group, stop_timers
from triggers.core.lifecycle import change_status, rule_of
from triggers.core.plan import Rule
from triggers.core.state.instance import Instance
from triggers.core.state.session import Session
from triggers.core.statuses import WAITING
from triggers.core.step import DecisionBuilder
from triggers.core.timer_kinds import TimerKind

EXPIRED = "expired"


def run_timer(session: Session, event: TimerFired) -> Decision:
    """Does what the timer was set for, if it still stands and is due; otherwise it is stale."""
    task, number, instance = session.find_instance(event.instance)
    builder = DecisionBuilder(session, event)
    if (instance.timers or {}).get(event.kind) != event.due or builder.now < event.due:
        return Decision(outcome=Outcome.STALE)
    config, instance = rule_of(session, task), session.change_instance(task, number)
    builder.cascade_depth = _depth_of(session, task, number, instance)
    stop_timers(session, event.instance, instance, only=event.kind)
    _run(builder, config, number, event)
    return finish(builder)


def _depth_of(session: Session, task: str, number: int, instance: Instance) -> int:
    """Returns the cascade depth for what a timer starts: that of the last contribution of its instance."""
    if instance.status in WAITING and (group := session.waiting.get(task).group_of(number)):
        return group.depth
    return instance.cascade_depth


def _run(builder: DecisionBuilder, config: Rule, number: int, event: TimerFired) -> None:
    name, instance = event.instance, builder.session.change_instance(config.name, number)
    match TimerKind(event.kind):
        case TimerKind.DELAY:
            leave_group(builder, config.name, number, instance)
            attempts.start(builder, config, number, name, instance)
        case TimerKind.RETRY | TimerKind.COOLDOWN:
            attempts.issue(builder, config, number, name, instance)
        case TimerKind.SCHEDULED | TimerKind.RUNNING:
            attempts.overdue(builder, config, number, name, instance)
        case TimerKind.DEADLINE:
            _end_waiting(builder, config, number, name, instance)


def _end_waiting(builder: DecisionBuilder, config: Rule, number: int, name: str, instance: Instance) -> None:
    deadline = None if config.rule is None else config.rule.deadline
    if deadline is None:
        return
    if not deadline.runs:
        change_status(builder, config.name, number, EXPIRED)
        return
    leave_group(builder, config.name, number, instance)
    attempts.start(builder, config, number, name, instance)
