"""The attempts of instances, as the results in a session's log tell them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from triggers.analysis.times import moment
from triggers.core.events import Event, TaskFailed, TaskFinished, TaskRetried, TaskStarted
from triggers.core.exception_view import message_in


class ExceptionText(NamedTuple):
    """Why an attempt has failed."""

    type: str
    message: str
    context: str
    """JSON, or empty if there is none."""
    traceback: str


class Attempt(NamedTuple):
    """An attempt to run the task of an instance."""

    number: int
    """0 if the result does not say it."""
    started: str
    """When it began, or empty if nobody has reported that."""
    ended: str
    outcome: str
    exception: ExceptionText | None


def attempts_of(events: Iterable[Event]) -> dict[str, list[Attempt]]:
    """Return the attempts of each instance, in the order of their results. A running one has no outcome yet."""
    attempts: dict[str, list[Attempt]] = {}
    for event in events:
        match event:
            case TaskStarted():
                begun = Attempt(event.attempt, moment(event.time), "", "running", None)
                attempts.setdefault(event.instance, []).append(begun)
            case TaskFinished():
                _end(attempts.setdefault(event.instance, []), event, "finished", None)
            case TaskFailed():
                _end(attempts.setdefault(event.instance, []), event, "failed", _exception_of(event))
            case TaskRetried():
                exception = _exception_of(event) if event.exception_type else None
                _end(attempts.setdefault(event.instance, []), event, "retried", exception)
    return attempts


def _end(
    attempts: list[Attempt],
    event: TaskFinished | TaskFailed | TaskRetried,
    outcome: str,
    exception: ExceptionText | None,
) -> None:
    """Add a result to the attempt that it is about, or an attempt whose beginning nobody has reported."""
    ended = moment(event.time)
    for position, each in enumerate(attempts):
        if each.number == event.attempt and not each.ended:
            attempts[position] = each._replace(ended=ended, outcome=outcome, exception=exception)
            return
    attempts.append(Attempt(event.attempt, "", ended, outcome, exception))


def _exception_of(event: TaskFailed | TaskRetried) -> ExceptionText:
    kind = event.exception_type or ""
    message = event.exception_message or message_in(event.exception_info, kind)
    context = event.exception_context.decode(errors="backslashreplace")
    return ExceptionText(kind, message, "" if context == "{}" else context, event.exception_info)
