"""Finds why an event had no effect: on the whole session, or on a rule that uses its trigger."""

from __future__ import annotations

from triggers.analysis.explain.edition_2_events import NOT_DUE, stale_timer
from triggers.analysis.explain.explanation import EventRef, Idle, Reason
from triggers.analysis.explain.trace import Trace
from triggers.core.commands import Outcome
from triggers.core.events import AdoptionRequested, ConfigurationUpdated, Event, RulesPublished, TaskEvent, TimerFired
from triggers.core.plan import Rule
from triggers.core.state.instance import Instance
from triggers.core.statuses import CANCELLED, Status
from triggers.errors import NotFound


def why_stale(trace: Trace, event: Event) -> Idle | None:
    """Returns why a result or timer will be stale, or None if it will not. Call it before the event is applied."""
    if trace.session.header.deleted:
        return Idle(reason=Reason.GONE)
    if not isinstance(event, TaskEvent | TimerFired):
        return None
    if not event.instance:
        return Idle(reason=Reason.NO_TIMER, detail="the session's own timer")
    try:
        loaded = trace.session.instances.find(event.instance)
    except NotFound:
        return None
    if isinstance(event, TimerFired) and event.kind:
        return stale_timer(event, loaded)
    return _stale(trace, event, loaded.task, loaded.instance)


def why_nothing(trace: Trace, event: Event, outcome: Outcome, stale: Idle | None) -> list[Idle]:
    """Returns why the event had no effect on the whole session; empty if it had one."""
    match outcome:
        case Outcome.DUPLICATE:
            return [Idle(reason=Reason.DUPLICATE, by=_ref(trace, trace.ids.get(event.id or "")), detail=event.id or "")]
        case Outcome.STALE:
            return [] if stale is None else [stale]
        case Outcome.UNUSED if not isinstance(event, TimerFired):
            if isinstance(event, AdoptionRequested):
                return [Idle(reason=Reason.HAS_RULES)]
            configures = isinstance(event, ConfigurationUpdated | RulesPublished)
            reason = Reason.CONFIGURED if configures else Reason.UNUSED
            return [Idle(reason=reason)]
        case _:
            return []


def why_rule_stood_still(trace: Trace, rule: Rule, trigger: str, *, waiting: bool) -> Idle:
    """Returns why the trigger changed no instance of the rule. `waiting` says whether one waited before the event."""
    statuses = {status: count for status, count in sorted(trace.statuses[rule.name].items()) if count}
    if waiting:
        return Idle(reason=Reason.HAS_IT, task=rule.name, statuses=statuses)
    if set(statuses) == {Status.ABANDONED}:
        return Idle(reason=Reason.ABANDONED, task=rule.name, statuses=statuses)
    reason = Reason.STARTED if trigger in rule.after_set else Reason.TOO_LATE
    return Idle(reason=reason, task=rule.name, statuses=statuses, by=_ref(trace, trace.scheduled.get(rule.name)))


def _stale(trace: Trace, event: TaskEvent | TimerFired, task: str, instance: Instance) -> Idle:
    closed_by = _ref(trace, trace.closed_by.get(event.instance))
    attempt = f"attempt {event.attempt or instance.attempt}"
    if instance.attempt == 0:
        return Idle(reason=Reason.NOT_ISSUED, task=task, detail=f"it is {instance.status}")
    if event.attempt not in (0, instance.attempt):
        return Idle(reason=Reason.SUPERSEDED, task=task, detail=f"{attempt}; {instance.attempt} is current")
    if isinstance(event, TimerFired):
        is_early = event.due and event.due in {instance.due, instance.deadline}
        return Idle(reason=Reason.NO_TIMER, task=task, detail=NOT_DUE if is_early else f"it is {instance.status}")
    if instance.status == CANCELLED and trace.session.plan.edition_2 is not None:
        return Idle(reason=Reason.WITHDRAWN, task=task, detail=attempt)
    if instance.attempt_closed:
        return Idle(reason=Reason.HAS_RESULT, task=task, by=closed_by, detail=f"{attempt}; it is {instance.status}")
    return Idle(reason=Reason.RUNNING, task=task, detail=f"{attempt}; it is {instance.status}")


def _ref(trace: Trace, number: int | None) -> EventRef | None:
    return None if number is None else trace.refs[number]
