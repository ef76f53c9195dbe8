"""The entry point of the core: applies one event to a session and returns the decision."""

from __future__ import annotations

from typing import Final, assert_never

from triggers.core import deletion, importing, operations, results
from triggers.core.binding import adopt_rules, decide_with_rules, publish
from triggers.core.commands import Outcome
from triggers.core.decision import Decision
from triggers.core.decision_builder import DecisionBuilder
from triggers.core.edition_2_plan import is_reserved
from triggers.core.edition_2_timers import handle_timer_of_kind
from triggers.core.events import (
    AdoptionRequested,
    CancelRequested,
    CloneRequested,
    ConfigurationUpdated,
    DeletionRequested,
    Event,
    MetadataUpdated,
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
from triggers.core.finishing import finish
from triggers.core.fired_kwargs import FiredKwargs
from triggers.core.rules import fire_trigger
from triggers.core.state.session import Session
from triggers.errors import ReservedName

_APPLIED: Final = Outcome.APPLIED  # looked up only once, because each look-up of an enumeration's member takes 0.1 µs
_UNUSED: Final = Outcome.UNUSED
_STALE: Final = Outcome.STALE
_DUPLICATE: Final = Outcome.DUPLICATE
_RULES_PUBLISHED: Final = RulesPublished
_STARTS_NO_SESSION: Final = frozenset({Outcome.STALE, Outcome.DELETED})


def apply(session: Session, event: Event) -> Decision:
    """Applies an event to a session: changes the session and returns the decision.

    Every driver (the agent, the in-memory storage, the analysis tools) calls it once per event, in the order of the
    log. It is pure: the same session and event lead to the same decision. An event whose id is in the session's dedupe
    window, or a result of a closed attempt, changes nothing but the session's event index. Published rules change the
    rows of the partition, not the session.

    Raises a CallError other than TooManyCommands, or NotFound, before anything is changed.
    Raises TooManyCommands when the session has already changed: the caller must drop the object.
    """
    if type(event) is _RULES_PUBLISHED:  # a failing `isinstance` of a struct's class costs 500 instructions
        return publish(session, event)
    event_id, time = event.id, event.time
    session.event_id, session.time, session.position = event_id, time, event.position
    session.recorded = recorded = event.recorded or time
    clock = session.header.clock
    session.clock = clock if clock > recorded else recorded  # `max` takes 1,000 instructions in the interpreter
    if event_id is not None and session.ids.contains(event_id):
        decision = Decision(outcome=_DUPLICATE)
    else:
        if session.exists and not session.is_bound:
            decision = _decide(session, event)
        else:
            decision = decide_with_rules(session, event, _decide)
        if not session.exists:
            if decision.outcome in _STARTS_NO_SESSION:
                return decision  # a grave has no clock
            deletion.begin_again(session)
        session.header.clock = session.clock
        if event_id is not None:
            session.ids.remember(event_id)
    outcome = decision.outcome  # compared by identity, because the hash of an enumeration's member is a call of Python
    session.index_event(session.position, time, changed=outcome is not _STALE and outcome is not _DUPLICATE)
    if session.plan.limits.session_ttl:
        deletion.keep_alive(session, event, decision)
    return decision


def _decide(session: Session, event: Event) -> Decision:  # noqa: C901, PLR0911, PLR0912  # one line for each kind of event
    if not session.exists and session.header.deleted and (decision := deletion.decide_for_deleted(session, event)):
        return decision
    match event:
        case TriggerFired():
            return _fire_trigger(session, event)
        case TaskStarted() | TaskFinished() | TaskFailed() | TaskStatusChanged() | TaskRetried():
            return results.apply_result(session, event)
        case ConfigurationUpdated():
            return operations.update_configuration(session, event)
        case ReplayRequested():
            return operations.replay_failed(session, event)
        case SkipRequested():
            return operations.skip_failed(session, event)
        case StatusSet():
            return operations.set_status(session, event)
        case MetadataUpdated():
            return operations.set_metadata(session, event)
        case CancelRequested():
            return operations.cancel(session, event)
        case CloneRequested():
            return operations.clone_instance(session, event)
        case TimerFired():
            return _handle_timer(session, event)
        case DeletionRequested():
            return deletion.delete_session(session, event)
        case SessionImported():
            return importing.import_session(session, event)
        case RulesPublished():
            return publish(session, event)
        case AdoptionRequested():
            return adopt_rules(session, event)
        case _:
            assert_never(event)


def _fire_trigger(session: Session, event: TriggerFired) -> Decision:
    trigger = event.trigger
    if session.plan.edition_2 is not None:
        return _fire_in_edition_2(session, event)
    builder = DecisionBuilder(session, event, _APPLIED if trigger in session.plan.by_trigger else _UNUSED)
    fire_trigger(builder, FiredKwargs(session, trigger, event.kwargs, event_id=session.event_id, source=event.source))
    return builder.build()


def _fire_in_edition_2(session: Session, event: TriggerFired) -> Decision:
    """Fires a trigger in a session of edition 2. Raises ReservedName."""
    if is_reserved(event.trigger):
        raise ReservedName(f"only the engine fires {event.trigger!r:.200}; names that end like outcomes are reserved")
    builder = DecisionBuilder(session, event, _UNUSED)
    if (follow := builder.follow) is not None:
        follow.event_id, follow.source = event.id, event.source
    fire_trigger(builder, FiredKwargs(session, event.trigger, event.kwargs))
    return finish(builder)


def _handle_timer(session: Session, event: TimerFired) -> Decision:
    """Does what a timer was set for. One that a worker whose clock is ahead published too early is stale."""
    if event.due > session.clock:
        return Decision(outcome=Outcome.STALE)
    if not event.instance:
        return deletion.handle_session_timer(session, event)
    if not event.kind or (session.exists and session.plan.edition_2 is None):
        return results.handle_timer(session, event)
    return handle_timer_of_kind(session, event) if session.exists else Decision(outcome=Outcome.STALE)
