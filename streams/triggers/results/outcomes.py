"""What became of a task, as the event that says so. Nothing here touches Kafka or Celery."""

from __future__ import annotations

import json
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from msgspec import Struct

from triggers.codec import check_event, encode_object
from triggers.codec.event_shapes import MAX_NAME_CHARACTERS
from triggers.codec.json_payloads import check_payload
from triggers.core.events import Event, TaskFailed, TaskFinished, TaskRetried, TaskStarted, TaskStatusChanged
from triggers.errors import CallError


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandName:
    """Whose result it is: session, instance (`<task>#<n>`) and attempt."""

    session: str
    instance: str
    attempt: int


MAX_TRACEBACK_CHARACTERS: Final = 50_000


_MAX_REPR_CHARACTERS: Final = 2000


class StatusSetByTask(Struct, frozen=True, kw_only=True):
    """The task raised `StatusChange`."""

    status: str
    metadata: Mapping[str, object]


class RetryAsked(Struct, frozen=True, kw_only=True):
    """The task raised `self.retry(…)`."""

    metadata: Mapping[str, object]
    cause: BaseException | None
    replacement_kwargs: Mapping[str, object] | None
    cooldown_ms: int
    log_level: int


Verdict = StatusSetByTask | RetryAsked
"""What a `TriggerTask` decided instead of returning a result."""


def started_event(name: CommandName) -> TaskStarted:
    """A worker begins to run the task."""
    return TaskStarted(instance=name.instance, attempt=name.attempt)


def finished_event(name: CommandName, result: object, log_level: int, max_payload_bytes: int) -> Event:
    """The task returned. A result that cannot be kept makes it a failure."""
    try:
        payload = encode_object(_to_mapping(result), "result")
        event = TaskFinished(instance=name.instance, attempt=name.attempt, result=payload, log_level=log_level)
        return _check_accepted(event, max_payload_bytes)
    except CallError as error:
        return failed_event(name, error, log_level=log_level, max_payload_bytes=max_payload_bytes)


def verdict_event(name: CommandName, verdict: Verdict, max_payload_bytes: int) -> Event:
    """A `TriggerTask` set a status or asked for a retry. What cannot be kept of it makes it a failure."""
    try:
        event = (
            _status_event(name, verdict)
            if isinstance(verdict, StatusSetByTask)
            else _retry_event(name, verdict, max_payload_bytes)
        )
        return _check_accepted(event, max_payload_bytes)
    except CallError as error:
        return failed_event(name, error, max_payload_bytes=max_payload_bytes)


def failed_event(
    name: CommandName,
    error: BaseException,
    info: str | None = None,
    *,
    log_level: int = 0,
    max_payload_bytes: int,
) -> TaskFailed:
    """The task failed, or never ran. `info`: its traceback as text, where the error itself has lost it.

    Never raises: text is cut and escaped, a context that is no JSON is described instead.
    """
    return TaskFailed(
        instance=name.instance,
        attempt=name.attempt,
        exception_type=class_name(error)[:MAX_NAME_CHARACTERS],
        exception_context=_encode_context(error, max_payload_bytes),
        exception_info=_truncate(printable(info or traceback_of(error))),
        log_level=log_level,
    )


def class_name(error: BaseException) -> str:
    """`module.Class`."""
    kind = type(error)
    return printable(f"{kind.__module__}.{kind.__qualname__}")


def traceback_of(error: BaseException) -> str:
    """As Python would print it; an error whose own `__str__` raises is shown without it."""
    return "".join(traceback.format_exception(error))


def printable(text: str) -> str:
    """The text without what UTF-8 cannot carry."""
    return text.encode(errors="backslashreplace").decode()


def _to_mapping(result: object) -> Mapping[str, object]:
    if isinstance(result, Mapping):
        return result
    return {"result": result} if result else {}


def _status_event(name: CommandName, verdict: StatusSetByTask) -> TaskStatusChanged:
    metadata = encode_object(verdict.metadata, "metadata")
    return TaskStatusChanged(instance=name.instance, attempt=name.attempt, status=verdict.status, metadata=metadata)


def _retry_event(name: CommandName, verdict: RetryAsked, max_payload_bytes: int) -> TaskRetried:
    cause, kwargs = verdict.cause, verdict.replacement_kwargs
    return TaskRetried(
        instance=name.instance,
        attempt=name.attempt,
        metadata=encode_object(verdict.metadata, "metadata"),
        exception_type=None if cause is None else class_name(cause)[:MAX_NAME_CHARACTERS],
        exception_context=b"{}" if cause is None else _encode_context(cause, max_payload_bytes),
        exception_info="" if cause is None else _truncate(printable(traceback_of(cause))),
        replacement_kwargs=None if kwargs is None else encode_object(kwargs, "replacement_kwargs"),
        cooldown_ms=verdict.cooldown_ms,
        log_level=verdict.log_level,
    )


def _check_accepted(event: Event, max_payload_bytes: int) -> Event:
    """The event, if a worker will accept it: otherwise it would become a dead letter and the result be lost."""
    check_event(event, max_payload_bytes)
    return event


def context_of(error: BaseException) -> Mapping[str, object]:
    """What the exception carries in `.context`; an attribute of that name that is no mapping is not meant."""
    context = getattr(error, "context", None)
    return context if isinstance(context, Mapping) else {}


def _encode_context(error: BaseException, max_payload_bytes: int) -> bytes:
    try:
        payload = encode_object(context_of(error), "context")
    except Exception:  # noqa: BLE001  # it is the user's object, and a failure must be reported whatever it does
        payload = _describe_context(error)
    return payload if len(payload) <= max_payload_bytes else json.dumps({"context_bytes": len(payload)}).encode()


def _describe_context(error: BaseException) -> bytes:
    """The context member by member, with the `repr` of what is no JSON."""
    try:
        context = {printable(str(key)): _encodable(value) for key, value in context_of(error).items()}
        payload = json.dumps(context).encode()
        check_payload(payload, "context")
    except Exception:  # noqa: BLE001  # as above
        return b'{"context":"not readable"}'
    return payload


def _encodable(value: object) -> object:
    try:
        return json.loads(encode_object({"value": value}, "value"))["value"]
    except CallError:
        return printable(repr(value))[:_MAX_REPR_CHARACTERS]


def _truncate(text: str) -> str:
    """The beginning and the end: the first frames say where, the last lines what."""
    if len(text) <= MAX_TRACEBACK_CHARACTERS:
        return text
    half = MAX_TRACEBACK_CHARACTERS // 2
    return f"{text[:half]}\n… {len(text) - 2 * half} characters left out …\n{text[-half:]}"
