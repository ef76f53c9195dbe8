"""Commands and sessions of the engine as histories write them."""

from __future__ import annotations

import json

from tests.support.edition2.state import Json

from triggers.core.commands import CancelTask, RunTask
from triggers.core.view import InstanceView, SessionView


def final_of(seen: SessionView) -> Json:
    """Return what `final` says of a session, except for its clock."""
    return {
        "instances": {own.name: _seen(own) for own in seen.instances},
        "unresolvedTasks": seen.unresolved_tasks,
        "timers": timers_of(seen),
        "rules": _rules_of(seen),
    }


def _rules_of(session: SessionView) -> Json | None:
    return None if session.rules is None else {"name": session.rules.name, "version": session.rules.version}


def command_of(command: RunTask) -> Json:
    """Return a command as histories have it in `scheduled`."""
    return (
        {
            "instance": command.instance,
            "attempt": command.attempt,
            "run": command.run,
            "kwargs": json.loads(command.kwargs),
        }
        | ({"queue": command.queue} if command.queue else {})
        | ({"using": command.using} if command.using else {})
    )


def cancellation_of(cancel: CancelTask) -> Json:
    """Return a cancellation as histories have it in `cancel`."""
    queue = {"queue": cancel.queue} if cancel.queue else {}
    return {"instance": cancel.instance, "attempt": cancel.attempt, "terminate": cancel.terminate} | queue


def _seen(own: InstanceView) -> Json:
    return {
        "task": own.task,
        "status": own.status,
        "attempt": own.attempt,
        "kwargs": {alias: json.loads(bytes(text)) for alias, text in own.kwargs.items()},
        "depth": own.depth,
        "parent": own.parent,
    }


def timers_of(seen: SessionView) -> list[Json]:
    """Return the timers that stand, in the order that histories give them."""
    found: list[Json] = []
    for own in seen.instances:
        timers = dict(own.timers)
        if own.due:
            timers["cooldown"] = own.due
        if own.deadline:
            timers[own.status] = own.deadline
        found += [{"instance": own.name, "kind": kind, "due": due} for kind, due in timers.items()]
    return sorted(found, key=lambda timer: (timer["due"], timer["instance"], timer["kind"]))
