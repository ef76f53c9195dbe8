"""A timer of an instance is due, in edition 2."""

from __future__ import annotations

from triggers.core import attempts
from triggers.core.commands import Decision, Outcome
from triggers.core.events import TimerFired
from triggers.core.finishing import finish
from triggers.core.groups import leave_group, stop_timers
from triggers.core.lifecycle import change_status, rule_of
from triggers.core.plan import Rule
from triggers.core.state.loaded_instance import LoadedInstance
from triggers.core.state.session import Session
from triggers.core.statuses import WAITING
from triggers.core.step import DecisionBuilder
from triggers.core.timer_kinds import TimerKind

EXPIRED = "expired"


def run_timer(session: Session, event: TimerFired) -> Decision:
    """Does what the timer was set for, if it still stands and is due; otherwise it is stale."""
    loaded, builder = session.instances.find(event.instance), DecisionBuilder(session, event)
    if (loaded.instance.timers or {}).get(event.kind) != event.due or builder.now < event.due:
        return Decision(outcome=Outcome.STALE)
    config = rule_of(session, loaded.task)
    session.instances.mark_changed(loaded)
    builder.cascade_depth = _depth_of(session, loaded)
    stop_timers(session, loaded, only=event.kind)
    _run(builder, config, loaded, TimerKind(event.kind))
    return finish(builder)


def _depth_of(session: Session, loaded: LoadedInstance) -> int:
    """What a timer starts keeps the depth of what its instance took last."""
    if loaded.instance.status in WAITING and (group := session.waiting.get(loaded.task).group_of(loaded.number)):
        return group.depth
    return loaded.instance.cascade_depth


def _run(builder: DecisionBuilder, config: Rule, loaded: LoadedInstance, kind: TimerKind) -> None:
    match kind:
        case TimerKind.DELAY:
            leave_group(builder, loaded)
            attempts.start(builder, config, loaded)
        case TimerKind.RETRY | TimerKind.COOLDOWN:
            attempts.issue(builder, config, loaded)
        case TimerKind.SCHEDULED | TimerKind.RUNNING:
            attempts.overdue(builder, config, loaded)
        case TimerKind.DEADLINE:
            _end_waiting(builder, config, loaded)


def _end_waiting(builder: DecisionBuilder, config: Rule, loaded: LoadedInstance) -> None:
    deadline = None if config.rule is None else config.rule.deadline
    if deadline is None:
        return
    if not deadline.runs:
        change_status(builder, loaded, EXPIRED)
        return
    leave_group(builder, loaded)
    attempts.start(builder, config, loaded)
