"""Makes the events that report the results of attempts."""

from __future__ import annotations

import json
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from msgspec import Struct

from triggers.codec import check_event, encode_object
from triggers.codec.encodable_text import encodable
from triggers.codec.event_shapes import MAX_NAME_CHARACTERS
from triggers.codec.json_payloads import check_payload
from triggers.core.events import (
    Event,
    MetadataUpdated,
    TaskFailed,
    TaskFinished,
    TaskRetried,
    TaskStarted,
    TaskStatusChanged,
)
from triggers.errors import CallError


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandName:
    """The session, the instance (`<task>#<number>`) and the attempt that a result belongs to."""

    session: str
    instance: str
    attempt: int

    @property
    def task_id(self) -> str:
        """The Celery task id of the attempt, the same in every run."""
        return f"{self.session}/{self.instance}/{self.attempt}"


MAX_TRACEBACK_CHARACTERS: Final = 50_000
MAX_MESSAGE_CHARACTERS: Final = 2000
_MAX_REPR_CHARACTERS: Final = 2000


class StatusSetByTask(Struct, frozen=True, kw_only=True):
    """The task raised `StatusChange`."""

    status: str
    metadata: Mapping[str, object]


class RetryAsked(Struct, frozen=True, kw_only=True):
    """The task asked to run again, by `self.retry(…)` or `autoretry_for`."""

    metadata: Mapping[str, object]
    cause: BaseException | None
    replacement_kwargs: Mapping[str, object] | None
    cooldown_ms: int
    log_level: int


Verdict = StatusSetByTask | RetryAsked
"""A decision that a `TriggerTask` made instead of returning a result."""


def started_event(name: CommandName) -> TaskStarted:
    """Returns the event for an attempt that a worker has started."""
    return TaskStarted(instance=name.instance, attempt=name.attempt)


def finished_event(name: CommandName, result: object, log_level: int, max_payload_bytes: int) -> Event:
    """Returns the event for a task that returned. If the result cannot be encoded, that is a failure."""
    try:
        payload = encode_object(_to_mapping(result), "result")
        event = TaskFinished(instance=name.instance, attempt=name.attempt, result=payload, log_level=log_level)
        return _check_accepted(event, max_payload_bytes)
    except CallError as error:
        return failed_event(name, error, log_level=log_level, max_payload_bytes=max_payload_bytes)


def verdict_event(name: CommandName, verdict: Verdict, max_payload_bytes: int) -> Event:
    """Returns the event for a status or a retry. If its metadata or kwargs cannot be encoded, that is a failure."""
    try:
        event = (
            _status_event(name, verdict)
            if isinstance(verdict, StatusSetByTask)
            else _retry_event(name, verdict, max_payload_bytes)
        )
        return _check_accepted(event, max_payload_bytes)
    except CallError as error:
        return failed_event(name, error, max_payload_bytes=max_payload_bytes)


def metadata_event(name: CommandName, metadata: Mapping[str, object]) -> MetadataUpdated:
    """Returns the event that stores what happened to a run that has no outcome yet. `metadata` must be JSON."""
    return MetadataUpdated(instance=name.instance, metadata=encode_object(metadata, "metadata"))


def failed_event(
    name: CommandName,
    error: BaseException,
    info: str | None = None,
    *,
    log_level: int = 0,
    max_payload_bytes: int,
) -> TaskFailed:
    """Returns the event for a task that failed or could not run. `info` is the traceback, if the error has lost it.

    It never raises: text is truncated and escaped, and a context that is not JSON is described by `repr`.
    """
    return TaskFailed(
        instance=name.instance,
        attempt=name.attempt,
        exception_type=class_name(error)[:MAX_NAME_CHARACTERS],
        exception_context=_encode_context(error, max_payload_bytes),
        exception_info=_truncate(encodable(info or traceback_of(error))),
        log_level=log_level,
        exception_message=message_of(error),
    )


def class_name(error: BaseException) -> str:
    """Returns the qualified name of the error's class, such as `app.errors.Busy`."""
    kind = type(error)
    return encodable(f"{kind.__module__}.{kind.__qualname__}")


def message_of(error: BaseException) -> str:
    """Returns the error's own text, truncated; empty if its `__str__` raises."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001  # a method of the user's object raised, and the failure must be reported
        return ""
    shown = encodable(text)
    return shown if len(shown) <= MAX_MESSAGE_CHARACTERS else f"{shown[: MAX_MESSAGE_CHARACTERS - 1]}…"


def traceback_of(error: BaseException) -> str:
    """Returns the traceback as Python prints it. An error whose `__str__` raises is shown without its message."""
    return "".join(traceback.format_exception(error))


def exception_metadata(error: BaseException) -> dict[str, object]:
    """Returns the metadata with which the Triggers framework describes an exception."""
    return {
        "exceptionContext": dict(context_of(error)),
        "exceptionInfo": traceback_of(error),
        "exceptionMessage": message_of(error),
        "exceptionType": class_name(error),
    }


def _to_mapping(result: object) -> Mapping[str, object]:
    """Returns what cascades. Only None counts as no result, so that 0, False, "" and [] are not lost."""
    if isinstance(result, Mapping):
        return result
    return {} if result is None else {"result": result}


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
        exception_info="" if cause is None else _truncate(encodable(traceback_of(cause))),
        replacement_kwargs=None if kwargs is None else encode_object(kwargs, "replacement_kwargs"),
        cooldown_ms=verdict.cooldown_ms,
        log_level=verdict.log_level,
        exception_message="" if cause is None else message_of(cause),
    )


def _check_accepted(event: Event, max_payload_bytes: int) -> Event:
    """Returns the event. Raises CallError if a worker would refuse it, because the result would be lost then."""
    check_event(event, max_payload_bytes)
    return event


def context_of(error: BaseException) -> Mapping[str, object]:
    """Returns the exception's `context`, or an empty mapping if it has none or it is not a mapping."""
    context = getattr(error, "context", None)
    return context if isinstance(context, Mapping) else {}


def _encode_context(error: BaseException, max_payload_bytes: int) -> bytes:
    try:
        payload = encode_object(context_of(error), "context")
    except Exception:  # noqa: BLE001  # methods of the user's object raised, and the failure must be reported
        payload = _describe_context(error)
    return payload if len(payload) <= max_payload_bytes else json.dumps({"context_bytes": len(payload)}).encode()


def _describe_context(error: BaseException) -> bytes:
    """Encodes the context member by member, with the `repr` of values that are not JSON."""
    try:
        context = {encodable(str(key)): _encodable(value) for key, value in context_of(error).items()}
        payload = json.dumps(context).encode()
        check_payload(payload, "context")
    except Exception:  # noqa: BLE001  # methods of the user's object raised
        return b'{"context":"not readable"}'
    return payload


def _encodable(value: object) -> object:
    try:
        return json.loads(encode_object({"value": value}, "value"))["value"]
    except CallError:
        return encodable(repr(value))[:_MAX_REPR_CHARACTERS]


def _truncate(text: str) -> str:
    """Returns the beginning and the end, because the first frames show where and the last lines what failed."""
    if len(text) <= MAX_TRACEBACK_CHARACTERS:
        return text
    half = MAX_TRACEBACK_CHARACTERS // 2
    return f"{text[:half]}\n… {len(text) - 2 * half} characters omitted …\n{text[-half:]}"
