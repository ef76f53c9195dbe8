"""Describes events and causes in words, and returns what events carry."""

from __future__ import annotations

from typing import assert_never

from triggers.analysis.explain.explanation import EventRef, InstanceProof, MissingCause
from triggers.analysis.times import moment
from triggers.core.config import MANAGER_NAME
from triggers.core.edition_2_plan import BLOCKS
from triggers.core.events import (
    AdoptionRequested,
    CancelRequested,
    CloneRequested,
    ConfigurationUpdated,
    DeletionRequested,
    Event,
    MetadataUpdated,
    OperatorEvent,
    ReplayRequested,
    RulesPublished,
    SessionImported,
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
from triggers.core.exception_view import message_in
from triggers.core.instance_names import parse_instance_name
from triggers.core.kwargs import split_members
from triggers.core.limits import LIMITS_NAME
from triggers.errors import NotFound

_Change = ReplayRequested | SkipRequested | StatusSet | MetadataUpdated | CancelRequested | CloneRequested
"""Events by which an operator, or the application, changes one instance."""


def refer_to(event: Event) -> EventRef:
    """Returns a reference to the event, with which a reader can look it up."""
    return EventRef(offset=event.position, time=event.time, id=event.id, what=words_of(event))


def where(ref: EventRef) -> str:
    """Returns the offset, the time and, if it has one, the id of an event."""
    return f"offset {ref.offset}, {moment(ref.time)}{f', id {ref.id}' if ref.id else ''}"


def ref_words(ref: EventRef) -> str:
    """Returns what an event was, and where it is in the log."""
    return f"{ref.what} ({where(ref)})"


def cause_words(trigger: str, cause: MissingCause) -> str:
    """Says what a trigger waits for.

    A cause that is neither the trigger nor an instance of its task is named: the text so far is about another one.
    """
    if cause.kind in {"cycle", "outcome"} or cause.name == trigger:
        return cause.why
    if cause.name.rpartition("#")[0] == trigger:
        return f"{cause.name} {cause.why}"
    why = "an application has to fire" if cause.kind == "fire" else cause.why
    return f"{trigger} ultimately waits for {cause.name}, which {why}"


def reason_of(event: TaskFailed | TaskRetried) -> str:
    """Returns type and message of the exception that an event reports, with the message on one line."""
    kind = event.exception_type or ""
    message = event.exception_message or message_in(event.exception_info, kind)
    return _on_a_line(kind, message)


def failure_words(proof: InstanceProof) -> str:
    """Says with which exception an instance failed, unless the proof says why anyway; empty if there is none."""
    exception = None if proof.why else proof.exception
    return f"It failed with {_on_a_line(exception.type, exception.message)}. " if exception else ""


def _on_a_line(kind: str, message: str) -> str:
    return f"{kind}: {' '.join(message.split())}" if message else kind


def words_of(event: Event) -> str:  # noqa: C901, PLR0911, PLR0912  # one line for each kind of event
    """Says in the past tense what happened."""
    match event:
        case TriggerFired():
            return f"{event.trigger} fired"
        case ConfigurationUpdated():
            return f"rules were set for {', '.join(tasks_of(event)) or 'no task'}{_by(event)}"
        case TaskStarted():
            return f"{event.instance} started"
        case TaskFinished():
            return f"{event.instance} finished"
        case TaskFailed():
            return f"{event.instance} failed with {reason_of(event)}"
        case TaskStatusChanged():
            return f"{event.instance} reported {event.status}"
        case TaskRetried():
            return f"{event.instance} requested a retry{f' after {reason_of(event)}' if event.exception_type else ''}"
        case (
            ReplayRequested() | SkipRequested() | StatusSet() | MetadataUpdated() | CancelRequested() | CloneRequested()
        ):
            return _change_words(event)
        case TimerFired() if event.kind:
            return f"the {event.kind} timer of {event.instance} was due"
        case TimerFired():
            return f"a timer of {event.instance or 'the session'} was due"
        case DeletionRequested():
            return f"the session was deleted{_by(event)}"
        case SessionImported():
            return f"the session was imported{_by(event)}"
        case RulesPublished():
            return f"version {event.version} of the rules {event.name!r} was published{_by(event)}"
        case AdoptionRequested():
            return f"{event.actor or 'an operator'} let the session adopt version {event.version} of {event.name!r}"
        case _:
            assert_never(event)


def _change_words(event: _Change) -> str:
    operator, application = event.actor or "an operator", event.actor or "the application"
    match event:
        case ReplayRequested():
            return f"{operator} replayed {event.instance}"
        case SkipRequested():
            return f"{operator} skipped {event.instance}"
        case StatusSet():
            return f"{application} set {event.instance} to {event.status}"
        case MetadataUpdated():
            return f"{application} set metadata of {event.instance}"
        case CancelRequested():
            return f"{operator} cancelled {event.instance}"
        case CloneRequested():
            return f"{application} cloned {event.instance}"
        case _:
            assert_never(event)


def _by(event: OperatorEvent) -> str:
    return f" by {event.actor}" if event.actor else ""


def tasks_of(event: ConfigurationUpdated) -> list[str]:
    """Returns the tasks that the configuration adds or replaces."""
    members = split_members(event.configuration).items()
    return [name for name, text in members if name not in {LIMITS_NAME, MANAGER_NAME} and not _is_block(name, text)]


def _is_block(name: str, text: bytes) -> bool:
    """Returns whether it is a block of edition 2. In edition 1 such a name is a task, which must have `run`."""
    return name in BLOCKS and not (text[:1] == b"{" and "run" in split_members(text))


def trigger_of(event: Event) -> str | None:
    """Returns the trigger that the event fires if it is applied, or None if it fires none."""
    match event:
        case TriggerFired():
            return event.trigger
        case TaskFinished():
            return _task_of(event.instance)
        case SkipRequested() | StatusSet() if event.cascade:
            return _task_of(event.instance)
        case _:
            return None


def replaced_kwargs(event: Event) -> frozenset[str] | None:
    """Returns the triggers whose kwargs a replay or retry replaces, or None if it keeps those of the parent."""
    if isinstance(event, ReplayRequested | TaskRetried) and event.replacement_kwargs is not None:
        return frozenset(split_members(event.replacement_kwargs))
    return None


def _task_of(instance: str) -> str | None:
    try:
        return parse_instance_name(instance)[0]
    except NotFound:
        return None
