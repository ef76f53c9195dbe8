"""Turns the operations of a recorded history into the events that an application, operator or worker would publish."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from triggers.core.events import (
    CloneRequested,
    ConfigurationUpdated,
    Event,
    MetadataUpdated,
    ReplayRequested,
    SkipRequested,
    StatusSet,
    TaskFailed,
    TaskFinished,
    TaskRetried,
    TaskStarted,
    TaskStatusChanged,
    TimerFired,
    TriggerFired,
)

Step = Mapping[str, Any]

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}
_APPLICATION_ERRORS = frozenset({"ImportFailed", "Timeout"})
_DEFAULT_RETRIES = 3
_json = msgspec.json.Encoder().encode


def step_event(step: Step, depth: Callable[[str], int]) -> tuple[Event, str | None]:
    """Returns the step's event and the class name of the exception that the task raises, if it raises one.

    `depth` returns how many replays led to an instance. Raises KeyError for an unknown operation.
    """
    if step["op"] == "retry":
        return _retry(step, depth(step["instance"]))
    return _MAKERS[step["op"]](step)


def _trigger_fired(step: Step) -> tuple[Event, None]:
    event = TriggerFired(
        trigger=step["trigger"],
        kwargs=_json(step.get("kwargs") or {}),
        id=step.get("id"),
        source=step.get("source"),
        rules=step.get("rules"),
    )
    return event, None


def _configure(step: Step) -> tuple[Event, None]:
    return ConfigurationUpdated(configuration=_json(step["configuration"])), None


def _start(step: Step) -> tuple[Event, None]:
    return TaskStarted(instance=step["instance"], attempt=_attempt(step)), None


def _finish(step: Step) -> tuple[Event, str | None]:
    result, level = step.get("result") or {}, _level(step)
    if isinstance(result, dict):
        event = TaskFinished(instance=step["instance"], attempt=_attempt(step), result=_json(result), log_level=level)
        return event, None
    context = _json({"actual_result": result})
    return _failed(step, "builtins.ValueError", context, level), "ValueError"


def _fail(step: Step) -> tuple[Event, str]:
    level = max(_level(step), _LEVELS["error"]) if "logs" in step else 0
    context = _json(step.get("context") or {})
    return _failed(step, _qualified(step["exception"]), context, level), step["exception"]


def _failed(step: Step, kind: str, context: bytes, level: int) -> TaskFailed:
    return TaskFailed(
        instance=step["instance"],
        attempt=_attempt(step),
        exception_type=kind,
        exception_context=context,
        exception_info=kind,
        log_level=level,
    )


def _status_change(step: Step) -> tuple[Event, None]:
    metadata = _json(step.get("metadata") or {})
    event = TaskStatusChanged(
        instance=step["instance"], attempt=_attempt(step), status=step["status"], metadata=metadata
    )
    return event, None


def _retry(step: Step, depth: int) -> tuple[Event, str | None]:
    limit = step.get("max_retries", _DEFAULT_RETRIES)
    if limit is not None and depth >= limit:
        context = _json({"replay_metadata": _retry_metadata(step)})
        return _failed(step, "triggers.task.MaxRetriesExceeded", context, 0), "MaxRetriesExceeded"
    event = TaskRetried(
        instance=step["instance"],
        attempt=_attempt(step),
        metadata=_json(step.get("metadata") or {}),
        exception_type=_qualified(step["exception"]) if "exception" in step else None,
        replacement_kwargs=_replacement(step),
        cooldown_ms=round(step.get("cooldown", 0) * 1000),
    )
    return event, None


def _timer(step: Step) -> tuple[Event, None]:
    return TimerFired(instance=step["instance"], attempt=0, due=step["due"], kind=step["kind"]), None


def _retry_metadata(step: Step) -> dict[str, Any]:
    exception = {"exceptionContext": {}, "exceptionType": _qualified(step["exception"])} if "exception" in step else {}
    return exception | (step.get("metadata") or {})


def _replay(step: Step) -> tuple[Event, None]:
    return ReplayRequested(instance=step["instance"], replacement_kwargs=_replacement(step)), None


def _skip(step: Step) -> tuple[Event, None]:
    result = _json(step.get("result") or {})
    return SkipRequested(instance=step["instance"], cascade=bool(step.get("cascade")), result=result), None


def _set_status(step: Step) -> tuple[Event, None]:
    event = StatusSet(
        instance=step["instance"],
        status=step["status"],
        metadata=_json(step.get("metadata") or {}),
        cascade=bool(step.get("cascade")),
        cascade_kwargs=_json(step.get("cascade_kwargs") or {}),
    )
    return event, None


def _set_metadata(step: Step) -> tuple[Event, None]:
    return MetadataUpdated(instance=step["instance"], metadata=_json(step["metadata"])), None


def _resolve_logs(step: Step) -> tuple[Event, None]:
    return MetadataUpdated(instance=step["instance"], metadata=b'{"logsResolved":true}'), None


def _clone(step: Step) -> tuple[Event, None]:
    return CloneRequested(instance=step["instance"]), None


def _replacement(step: Step) -> bytes | None:
    return None if step.get("kwargs") is None else _json(step["kwargs"])


def _attempt(step: Step) -> int:
    """Returns the attempt that a result is of; 0 stands for the current one."""
    attempt: int = step.get("attempt", 0)
    return attempt


def _level(step: Step) -> int:
    return max((_LEVELS[name] for name in step.get("logs") or ()), default=0)


def _qualified(exception: str) -> str:
    return f"{'app.errors' if exception in _APPLICATION_ERRORS else 'builtins'}.{exception}"


_MAKERS: Mapping[str, Callable[[Step], tuple[Event, str | None]]] = {
    "fire": _trigger_fired,
    "timer": _timer,
    "configure": _configure,
    "start": _start,
    "finish": _finish,
    "fail": _fail,
    "status_change": _status_change,
    "replay": _replay,
    "skip": _skip,
    "set_status": _set_status,
    "set_metadata": _set_metadata,
    "resolve_logs": _resolve_logs,
    "clone": _clone,
}
