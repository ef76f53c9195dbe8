"""Handles due timers of instances of edition 2."""

from __future__ import annotations

from triggers.core import edition_2_attempts
from triggers.core.commands import Outcome
from triggers.core.decision import Decision
from triggers.core.decision_builder import DecisionBuilder
from triggers.core.events import TimerFired
from triggers.core.finishing import finish
from triggers.core.groups import remove_from_group
from triggers.core.lifecycle import change_status, rule_of
from triggers.core.plan import Rule
from triggers.core.state.loaded_instance import LoadedInstance
from triggers.core.state.session import Session
from triggers.core.statuses import EXPIRED, WAITING
from triggers.core.timer_kinds import TimerKind
from triggers.core.timer_rows import stop_timers_of_kinds


def handle_timer_of_kind(session: Session, event: TimerFired) -> Decision:
    """Does what the timer was set for. It is stale if it was stopped or moved."""
    loaded, builder = session.instances.find(event.instance), DecisionBuilder(session, event)
    if (loaded.instance.timers or {}).get(event.kind) != event.due:
        return Decision(outcome=Outcome.STALE)
    rule = rule_of(session, loaded.task)
    session.instances.mark_changed(loaded)
    builder.cascade_depth = _depth_of(session, loaded)
    stop_timers_of_kinds(session, loaded, only=event.kind)
    _handle_due(builder, rule, loaded, TimerKind(event.kind))
    return finish(builder)


def _depth_of(session: Session, loaded: LoadedInstance) -> int:
    """Returns the cascade depth for what a timer starts: that of the last contribution of its instance."""
    if loaded.instance.status in WAITING and (group := session.waiting.get(loaded.task).group_of(loaded.number)):
        return group.depth
    return loaded.instance.cascade_depth


def _handle_due(builder: DecisionBuilder, rule: Rule, loaded: LoadedInstance, kind: TimerKind) -> None:
    match kind:
        case TimerKind.DELAY:
            remove_from_group(builder, loaded)
            edition_2_attempts.start_instance(builder, rule, loaded)
        case TimerKind.RETRY | TimerKind.COOLDOWN:
            edition_2_attempts.issue_attempt(builder, rule, loaded)
        case TimerKind.SCHEDULED | TimerKind.RUNNING:
            edition_2_attempts.handle_overdue(builder, rule, loaded)
        case TimerKind.DEADLINE:
            _handle_deadline(builder, rule, loaded)


def _handle_deadline(builder: DecisionBuilder, rule: Rule, loaded: LoadedInstance) -> None:
    deadline = None if rule.edition_2 is None else rule.edition_2.deadline
    if deadline is None:
        return
    if not deadline.runs:
        change_status(builder, loaded, EXPIRED)
        return
    remove_from_group(builder, loaded)
    edition_2_attempts.start_instance(builder, rule, loaded)
