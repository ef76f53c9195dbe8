"""Sets and deletes the timers of instances, which are rows of their partition."""

from __future__ import annotations

from triggers.core.commands import SetTimer
from triggers.core.decision_builder import DecisionBuilder
from triggers.core.joined_spans import add_spans
from triggers.core.state.loaded_instance import LoadedInstance
from triggers.core.state.rows import TIMER_ROW, timer_key
from triggers.core.state.session import Session


def set_timer(builder: DecisionBuilder, loaded: LoadedInstance, due: int) -> None:
    """Sets the timer of the current attempt in edition 1. A `TimerFired` for the instance is published at `due`."""
    uid, attempt = builder.session.uid, loaded.instance.attempt
    _add_span(builder, loaded)
    builder.session.write_shared(timer_key(due, uid, loaded.name, attempt), TIMER_ROW)
    builder.commands.append(SetTimer(session=uid, instance=loaded.name, attempt=attempt, due=due))


def set_timer_of_kind(builder: DecisionBuilder, loaded: LoadedInstance, kind: str, due: int) -> None:
    """Sets the instance's timer of a kind of edition 2, or moves it. An instance has at most one timer of each kind."""
    session, name, attempt = builder.session, loaded.name, loaded.instance.attempt
    timers = dict(loaded.instance.timers or {})
    if kind in timers:
        session.write_shared(timer_key(timers[kind], session.uid, name, attempt, kind), None)
    timers[kind] = due
    _add_span(builder, loaded)
    loaded.instance.timers = timers
    session.write_shared(timer_key(due, session.uid, name, attempt, kind), TIMER_ROW)
    builder.commands.append(SetTimer(session=session.uid, instance=name, attempt=attempt, due=due, kind=kind))


def _add_span(builder: DecisionBuilder, loaded: LoadedInstance) -> None:
    """Adds the span of the event that sets the timer, because the timer's own event has none."""
    if builder.span:
        loaded.instance.spans = add_spans(loaded.instance.spans, builder.span)


def stop_timers(session: Session, loaded: LoadedInstance) -> None:
    """Deletes all timers of the instance, of either edition."""
    instance = loaded.instance
    if instance.timers:
        stop_timers_of_kinds(session, loaded)
    if due := instance.due or instance.deadline:
        session.write_shared(timer_key(due, session.uid, loaded.name, instance.attempt), None)
        instance.due = instance.deadline = 0


def stop_timers_of_kinds(session: Session, loaded: LoadedInstance, only: str = "") -> None:
    """Deletes the timers of edition 2 of the instance, or only that of the kind `only`."""
    instance, timers = loaded.instance, loaded.instance.timers
    if timers is None:
        return
    for kind, due in timers.items():
        if only in {"", kind}:
            session.write_shared(timer_key(due, session.uid, loaded.name, instance.attempt, kind), None)
    remaining = {kind: due for kind, due in timers.items() if only and kind != only}
    instance.timers = remaining or None
