"""Handles due timers of instances of edition 2."""

from __future__ import annotations

from triggers.core import edition_2_attempts
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
    """Does what a due timer was set for, if it still stands; otherwise it is stale."""
    loaded, builder = session.instances.find(event.instance), DecisionBuilder(session, event)
    if (loaded.instance.timers or {}).get(event.kind) != event.due:
        return Decision(outcome=Outcome.STALE)
    rule = rule_of(session, loaded.task)
    session.instances.mark_changed(loaded)
    builder.cascade_depth = _depth_of(session, loaded)
    stop_timers(session, loaded, only=event.kind)
    _run(builder, rule, loaded, TimerKind(event.kind))
    return finish(builder)


def _depth_of(session: Session, loaded: LoadedInstance) -> int:
    """Returns the cascade depth for what a timer starts: that of the last contribution of its instance."""
    if loaded.instance.status in WAITING and (group := session.waiting.get(loaded.task).group_of(loaded.number)):
        return group.depth
    return loaded.instance.cascade_depth


def _run(builder: DecisionBuilder, rule: Rule, loaded: LoadedInstance, kind: TimerKind) -> None:
    match kind:
        case TimerKind.DELAY:
            leave_group(builder, loaded)
            edition_2_attempts.start(builder, rule, loaded)
        case TimerKind.RETRY | TimerKind.COOLDOWN:
            edition_2_attempts.issue(builder, rule, loaded)
        case TimerKind.SCHEDULED | TimerKind.RUNNING:
            edition_2_attempts.overdue(builder, rule, loaded)
        case TimerKind.DEADLINE:
            _end_waiting(builder, rule, loaded)


def _end_waiting(builder: DecisionBuilder, rule: Rule, loaded: LoadedInstance) -> None:
    deadline = None if rule.edition_2 is None else rule.edition_2.deadline
    if deadline is None:
        return
    if not deadline.runs:
        change_status(builder, loaded, EXPIRED)
        return
    leave_group(builder, loaded)
    edition_2_attempts.start(builder, rule, loaded)
