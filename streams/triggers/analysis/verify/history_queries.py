"""Answers the queries of a recorded history from the view of a session."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import Raw

from triggers.core.statuses import Status, is_resolved
from triggers.core.view import InstanceView, SessionView, TaskView
from triggers.errors import InstanceNotFound, TaskNotFound

Step = Mapping[str, Any]

_HIDDEN_METADATA = frozenset({"cooldown", "exceptionInfo"})
_UNSTAMPED = frozenset({Status.REPLAYED})
_ERROR_LEVEL = 40
_LOGS_IRRELEVANT = frozenset({Status.ABANDONED, Status.REPLAYED, Status.SKIPPED})


def answer(step: Step, session: SessionView) -> object:
    """Returns the answer as plain data. Raises TaskNotFound, InstanceNotFound, or KeyError for an unknown query."""
    return _ANSWERS[step["what"]](step, session)


def plain(payloads: Mapping[str, Raw] | Raw) -> dict[str, Any]:
    """Returns payloads of a view as plain data."""
    decoded: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(payloads))
    return decoded


def _statuses(_: Step, session: SessionView) -> object:
    return {instance.name: instance.status for instance in session.instances}


def _instances(_: Step, session: SessionView) -> object:
    return [instance.name for instance in session.instances]


def _instances_of_task(step: Step, session: SessionView) -> object:
    return [instance.name for instance in session.instances if instance.task == step["name"]]


def _tasks(_: Step, session: SessionView) -> object:
    return [task.name for task in session.tasks]


def _unresolved_instances(_: Step, session: SessionView) -> object:
    return sorted(session.unresolved_instances)


def _unresolved_tasks(_: Step, session: SessionView) -> object:
    return sorted(session.unresolved_tasks)


def _unresolved_logs(_: Step, session: SessionView) -> object:
    return sorted(instance.name for instance in session.instances if not _logs_resolved(instance))


def _latest_kwargs(_: Step, session: SessionView) -> object:
    return plain(session.latest_kwargs)


def _uses_trigger(step: Step, session: SessionView) -> object:
    task = _find_task(step, session)
    return step["trigger"] in {*task.after, *task.unless}


def _debug(_: Step, session: SessionView) -> object:
    keys = sorted(("task", "status", "kwargs", "metadata", "abandonState"))
    return {
        "keys": ["instances", "metas", "tasks"],
        "tasks": sorted(task.name for task in session.tasks),
        "instances": {instance.name: keys for instance in session.instances},
    }


def _task(step: Step, session: SessionView) -> object:
    task = _find_task(step, session)
    directives = {
        "after": task.after,
        "unless": task.unless,
        "andEvery": task.and_every,
        "run": task.run,
        "using": task.using,
        "withParams": plain(task.with_params),
    }
    extra = plain(task.extra)
    return {"name": task.name, "extra": extra, "serialized": extra | directives} | directives


def _instance(step: Step, session: SessionView) -> object:
    instance = _find_instance(step, session)
    task = next(task for task in session.tasks if task.name == instance.task)
    abandoned = bool(task.unless) and set(task.unless) <= set(instance.abandon_state)
    unstarted = instance.status == Status.UNSTARTED
    failed = instance.status == Status.FAILED
    complete = bool(task.after) and set(task.after) <= set(instance.kwargs)
    metadata = plain(instance.metadata)
    return {
        "task": instance.task,
        "status": instance.status,
        "text": f"{instance.name} ({instance.status})",
        "kwargs": plain(instance.kwargs),
        "abandonState": sorted(instance.abandon_state),
        "depth": instance.depth,
        "parent": instance.parent,
        "canSchedule": unstarted,
        "canRun": unstarted and complete and not abandoned,
        "canAbandon": unstarted and abandoned,
        "canReplay": failed,
        "canSkip": failed,
        "isResolved": is_resolved(instance.status, session.edition),
        "logLevel": metadata.get("logLevel", 0),
        "logsRelevant": instance.status not in _LOGS_IRRELEVANT,
        "logsResolved": _logs_resolved(instance),
        "metadata": {key: value for key, value in metadata.items() if key not in _HIDDEN_METADATA},
        "stamped": sorted(set(instance.timestamps) - _UNSTAMPED),
    }


def _timestamps(step: Step, session: SessionView) -> object:
    return sorted({"created", "lastModified", *_find_instance(step, session).timestamps})


def _logs_resolved(instance: InstanceView) -> bool:
    metadata = plain(instance.metadata)
    quiet = metadata.get("logLevel", 0) < _ERROR_LEVEL
    return instance.status in _LOGS_IRRELEVANT or quiet or bool(metadata.get("logsResolved"))


def _find_task(step: Step, session: SessionView) -> TaskView:
    task = next((task for task in session.tasks if task.name == step["name"]), None)
    if task is None:
        raise TaskNotFound(f"no task {step['name']!r}")
    return task


def _find_instance(step: Step, session: SessionView) -> InstanceView:
    instance = next((instance for instance in session.instances if instance.name == step["name"]), None)
    if instance is None:
        raise InstanceNotFound(f"no instance {step['name']!r}")
    return instance


_ANSWERS: Mapping[str, Callable[[Step, SessionView], object]] = {
    "statuses": _statuses,
    "instances": _instances,
    "instancesOfTask": _instances_of_task,
    "tasks": _tasks,
    "unresolvedInstances": _unresolved_instances,
    "unresolvedTasks": _unresolved_tasks,
    "managerUnresolvedTasks": _unresolved_tasks,
    "unresolvedLogs": _unresolved_logs,
    "latestKwargs": _latest_kwargs,
    "usesTrigger": _uses_trigger,
    "debug": _debug,
    "task": _task,
    "instance": _instance,
    "timestamps": _timestamps,
}
