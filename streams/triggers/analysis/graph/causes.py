"""Finds what caused each instance of a session: events of applications, operators, and earlier instances."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from msgspec import Struct

from triggers.analysis.explain.explanation import EventRef
from triggers.analysis.explain.trace import Trace
from triggers.analysis.graph.cause import By, Cause
from triggers.analysis.graph.edition_2_causes import Edition2Causes
from triggers.analysis.graph.picture import Edge, Line, Node, Picture, Shape
from triggers.core.events import (
    CancelRequested,
    CloneRequested,
    Event,
    ReplayRequested,
    SkipRequested,
    StatusSet,
    TaskFinished,
    TaskRetried,
    TriggerFired,
)
from triggers.core.view import InstanceView, view_session
from triggers.errors import CallError, InstanceNotFound, NotFound

_OPERATIONS = (ReplayRequested, SkipRequested, StatusSet, CancelRequested, CloneRequested)


class CausedInstance(Struct, frozen=True, kw_only=True):
    """An instance and its causes."""

    name: str
    status: str
    attempt: int
    """0 if it never ran."""
    causes: list[Cause]
    roots: list[EventRef]
    """The events of applications and operators that led to it, across cascades, in order."""


class SessionCauses(Struct, frozen=True, kw_only=True):
    """The causes of a session's instances, as `graph --session --json` prints them."""

    session: str
    instances: list[CausedInstance]


def causes_of(uid: str, events: Iterable[Event], instance: str | None = None) -> list[CausedInstance]:
    """Returns every instance in creation order, or one and those that led to it. Raises InstanceNotFound."""
    trace, by_offset = Trace(uid), dict[int, Event]()
    for event in events:
        by_offset[event.position] = event
        _apply(trace, event)
    shown = view_session(trace.session).instances
    of_rules = Edition2Causes(trace, by_offset)
    direct = {one.name: _direct(trace, one, by_offset) + of_rules.causes_of(one) for one in shown}
    if instance is not None and instance not in direct:
        raise InstanceNotFound(f"session {uid!r} has no instance {instance!r}")
    wanted = direct.keys() if instance is None else _upstream(instance, direct)
    return [_caused(one, direct) for one in shown if one.name in wanted]


def _apply(trace: Trace, event: Event) -> None:
    """Applies the event. If the session refuses it, it causes nothing."""
    try:
        trace.apply(event)
    except (CallError, NotFound):
        return


def _direct(trace: Trace, one: InstanceView, by_offset: Mapping[int, Event]) -> list[Cause]:
    number, _ = trace.history[one.name][0]
    born = trace.refs[number]
    causes = [] if one.parent is None else _birth(born, one.parent, by_offset[born.offset])
    if trace.session.plan.edition_2 is not None:
        return causes
    triggers = [(trace.giver(one.name, trigger), False) for trigger in one.kwargs]
    triggers += [(trace.witness(one.name, trigger), True) for trigger in one.abandon_state]
    for trigger, unless in triggers:
        if trigger.by is not None and (one.parent is None or trigger.by.offset > born.offset):
            causes.append(_cause(trigger.by, trigger.trigger, by_offset[trigger.by.offset], unless=unless))
    return causes


def _birth(born: EventRef, parent: str, event: Event) -> list[Cause]:
    """Returns the causes of a replay, a retry or a copy, which has its parent's triggers from its parent."""
    operated = isinstance(event, _OPERATIONS)
    causes = [Cause(by=By.PARENT, event=born, trigger=None, instance=parent)]
    return [*causes, Cause(by=By.OPERATOR, event=born, trigger=None, instance=None)] if operated else causes


def _cause(ref: EventRef, trigger: str, event: Event, *, unless: bool = False) -> Cause:
    by = By.APPLICATION if isinstance(event, TriggerFired) else By.OPERATOR
    if isinstance(event, TaskFinished | TaskRetried):
        by = By.RESULT
    return Cause(by=by, event=ref, trigger=trigger, instance=getattr(event, "instance", None), unless=unless)


def _upstream(name: str, direct: Mapping[str, list[Cause]]) -> set[str]:
    """Returns the names of the instance and of all that led to it."""
    names: set[str] = set()
    ahead = [name]
    while ahead:
        one = ahead.pop()
        if one not in names:
            names.add(one)
            ahead += [cause.instance for cause in direct.get(one, ()) if cause.instance is not None]
    return names


def _caused(one: InstanceView, direct: Mapping[str, list[Cause]]) -> CausedInstance:
    before = [cause for name in _upstream(one.name, direct) for cause in direct.get(name, ())]
    outside = {cause.event.offset: cause.event for cause in before if cause.by in {By.APPLICATION, By.OPERATOR}}
    return CausedInstance(
        name=one.name,
        status=one.status,
        attempt=one.attempt,
        causes=direct[one.name],
        roots=[outside[offset] for offset in sorted(outside)],
    )


def picture_of_session(instances: Sequence[CausedInstance], title: str) -> Picture:
    """Returns a picture of the instances, the events that they used, operations, and the edges between them."""
    outside = {cause.event.offset: cause for one in instances for cause in one.causes if cause.by in _DRAWN}
    return Picture(
        title=title,
        nodes=(
            *(_event(outside[offset]) for offset in sorted(outside)),
            *(
                Node(id=one.name, shape=Shape.TASK, lines=(one.name, one.status), status=one.status)
                for one in instances
            ),
        ),
        edges=tuple(edge for one in instances for edge in _edges(one)),
    )


_DRAWN: Final = {By.APPLICATION: Shape.TRIGGER, By.OPERATOR: Shape.OPERATOR, By.TIMER: Shape.TIMER}
"""The shapes of events; a result is drawn as an edge from its instance."""


def _event(cause: Cause) -> Node:
    shape = _DRAWN[cause.by]
    return Node(id=_id(cause), shape=shape, lines=(cause.event.what, f"offset {cause.event.offset}"))


def _id(cause: Cause) -> str:
    return f"event {cause.event.offset}"


def _edges(one: CausedInstance) -> Iterator[Edge]:
    for cause in one.causes:
        line, label = _look(cause)
        if cause.by is By.PARENT and cause.instance is not None:
            yield Edge(source=cause.instance, target=one.name, line=Line.AGAIN, label="again")
        elif cause.by is By.RESULT and cause.instance is not None:
            yield Edge(source=cause.instance, target=one.name, line=line, label=label)
        else:
            yield Edge(source=_id(cause), target=one.name, line=line, label=label)
            if cause.instance is not None and cause.instance != one.name:
                yield Edge(source=cause.instance, target=_id(cause), line=Line.AGAIN)


def _look(cause: Cause) -> tuple[Line, str]:
    """Returns the line and the label of a cause."""
    if cause.stops:
        return Line.CANCEL, cause.stops
    if cause.unless:
        return Line.UNLESS, "unless"
    return Line.AFTER, cause.outcome
