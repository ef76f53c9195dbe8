"""Finds why an event has no effect, on the whole session or on one rule that uses its trigger."""

from __future__ import annotations

from triggers.analysis.explanation import EventRef, Idle, Reason
from triggers.analysis.trace import Trace
from triggers.core.commands import Outcome
from triggers.core.events import ConfigurationUpdated, Event, TaskEvent, TimerFired
from triggers.core.instance import Instance
from triggers.core.instance_names import parse_instance_name
from triggers.core.plan import TaskConfig
from triggers.core.statuses import Status
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
        instance = trace.session.instance(*parse_instance_name(event.instance))
    except NotFound:
        return None
    task, _ = parse_instance_name(event.instance)
    return _stale(trace, event, task, instance)


def why_nothing(trace: Trace, event: Event, outcome: Outcome, stale: Idle | None) -> list[Idle]:
    """Returns why the event had no effect on the whole session; empty if it had one."""
    match outcome:
        case Outcome.DUPLICATE:
            return [Idle(reason=Reason.DUPLICATE, by=_ref(trace, trace.ids.get(event.id or "")), detail=event.id or "")]
        case Outcome.STALE:
            return [] if stale is None else [stale]
        case Outcome.UNUSED if not isinstance(event, TimerFired):
            reason = Reason.CONFIGURED if isinstance(event, ConfigurationUpdated) else Reason.UNUSED
            return [Idle(reason=reason)]
        case _:
            return []


def why_rule_stood_still(trace: Trace, rule: TaskConfig, trigger: str, *, waiting: bool) -> Idle:
    """Returns why the trigger changed no instance of the rule. `waiting` says whether one waited before the event."""
    statuses = {status: count for status, count in sorted(trace.statuses[rule.name].items()) if count}
    if waiting:
        return Idle(reason=Reason.HAS_IT, task=rule.name, statuses=statuses)
    if set(statuses) == {Status.ABANDONED}:
        return Idle(reason=Reason.ABANDONED, task=rule.name, statuses=statuses)
    reason = Reason.STARTED if trigger in rule.after_set else Reason.TOO_LATE
    return Idle(reason=reason, task=rule.name, statuses=statuses, by=_ref(trace, trace.scheduled.get(rule.name)))


def _stale(trace: Trace, event: TaskEvent | TimerFired, task: str, instance: Instance) -> Idle:
    settled, attempt = _ref(trace, trace.settled.get(event.instance)), f"attempt {event.attempt or instance.attempt}"
    if instance.attempt == 0:
        return Idle(reason=Reason.NOT_ISSUED, task=task, detail=f"it is {instance.status}")
    if event.attempt not in (0, instance.attempt):
        return Idle(reason=Reason.SUPERSEDED, task=task, detail=f"{attempt}; {instance.attempt} is current")
    if isinstance(event, TimerFired):
        return Idle(reason=Reason.NO_TIMER, task=task, detail=f"it is {instance.status}")
    if instance.settled:
        return Idle(reason=Reason.SETTLED, task=task, by=settled, detail=f"{attempt}; it is {instance.status}")
    return Idle(reason=Reason.RUNNING, task=task, detail=f"{attempt}; it is {instance.status}")


def _ref(trace: Trace, number: int | None) -> EventRef | None:
    return None if number is None else trace.refs[number]
