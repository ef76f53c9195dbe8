"""Steps of histories from the records of a log, for the model of edition 2."""

from __future__ import annotations

import json

from tests.support.edition2.state import Json
from tests.support.edition2.world import World

from triggers.core.events import (
    ConfigurationUpdated,
    Event,
    RulesPublished,
    TaskFailed,
    TaskFinished,
    TaskStarted,
    TimerFired,
    TriggerFired,
)


def step_of(uid: str, event: Event, world: World) -> Json:
    """Returns the step that an event of a session, or a publication, is in a history of this world.

    Raises TypeError for an event that no session of the campaign's rules gets.
    """
    at = event.recorded or event.time
    step: Json = {"session": uid, "at": at, "time": event.time, "position": event.position}
    if event.id is not None:
        step["id"] = event.id
    return step | _particulars(uid, event, world)


def _particulars(uid: str, event: Event, world: World) -> Json:
    match event:
        case TriggerFired():
            fired = {"op": "fire", "trigger": event.trigger, "kwargs": json.loads(event.kwargs), "source": event.source}
            return fired | ({} if event.rules is None else {"rules": event.rules})
        case ConfigurationUpdated():
            return {"op": "configure", "configuration": json.loads(event.configuration)}
        case RulesPublished():
            own = {"name": event.name, "match": event.match, "default": event.is_default, "existing": event.existing}
            return own | {"op": "publish", "locked": event.locked, "configuration": json.loads(event.configuration)}
        case TimerFired():
            return {"op": "timer", "instance": event.instance, "due": event.due, "kind": _kind_of(uid, event, world)}
        case TaskStarted() | TaskFinished() | TaskFailed():
            return {"instance": event.instance, "attempt": event.attempt} | _result(event)
        case _:
            raise TypeError(f"no session of the campaign's rules gets {event}")


def _result(event: TaskStarted | TaskFinished | TaskFailed) -> Json:
    match event:
        case TaskStarted():
            return {"op": "start"}
        case TaskFinished():
            return {"op": "finish", "result": json.loads(event.result)}
        case TaskFailed():
            context = json.loads(event.exception_context)
            return {"op": "fail", "exception": event.exception_type, "context": context}


def _kind_of(uid: str, event: TimerFired, world: World) -> str:
    """Returns the kind of a timer. In edition 1 only its due time says which one it is."""
    if event.kind or uid not in world.sessions:
        return event.kind
    for own in world.sessions[uid].instances:
        for kind, due in own.timers.items():
            if own.name == event.instance and due == event.due:
                return kind
    return event.kind
