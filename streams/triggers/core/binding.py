"""Binds sessions to published rules: at the first event, when a later version says so, and when an operator does.

A session is bound before its event is decided, because the decision may depend on the rules. If the event then turns
out to have no effect, because it is stale or deletes the session, the session is rolled back and stays as it was.
Only these moments cost time: a session that exists and has no published rules never comes here, and one that has
them looks into a catalog in memory.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Final

from triggers.core.commands import BoundRules, Outcome
from triggers.core.decision import Decision
from triggers.core.events import (
    AdoptionRequested,
    DeletionRequested,
    Event,
    RulesPublished,
    SessionImported,
    TimerFired,
)
from triggers.core.plan import Plan
from triggers.core.published_rules import PublishedRules
from triggers.core.state.header_parts import RuleBinding
from triggers.core.state.session import Session
from triggers.core.updates import switch_rules
from triggers.errors import CallError, InvalidConfiguration, SessionNotFound, UnknownRules

_BINDS_NOTHING: Final = frozenset({Outcome.STALE, Outcome.DELETED})


def publish(session: Session, event: RulesPublished) -> Decision:
    """Adds published rules to the partition of the session. The session itself does not change.

    A worker does not need this, because it adds the rules to its partition itself. Drivers that fold the log of one
    session do: such a log includes the records of the rules that the session is bound to.
    """
    return Decision(outcome=Outcome.APPLIED if session.publish(event) else Outcome.UNUSED)


def adopt_rules(session: Session, event: AdoptionRequested) -> Decision:
    """Binds an existing session to the version that an operator asks for, as an adoption does.

    The session may have another version, other published rules, or none. Raises SessionNotFound, UnknownRules,
    InvalidConfiguration if the version and the session's own rules do not fit, and CallError for a version that the
    session would leave again at its next event. The session is unchanged then.
    """
    if not session.exists:
        raise SessionNotFound(f"session {session.uid!r:.300} does not exist, so it cannot adopt rules")
    rules = session.catalog.version(event.name, event.version)
    if rules is None:
        raise UnknownRules(
            f"nobody has published version {event.version} of rules with the name {event.name!r:.300};"
            " run `triggers rules list`"
        )
    bound = session.header.published
    if bound is not None and (bound.name, bound.version) == (rules.name, rules.version):
        return Decision(outcome=Outcome.UNUSED)
    if (later := session.catalog.to_adopt(rules.name, rules.version)) is not None:
        raise CallError(
            f"rules {rules.name!r:.300}: all sessions adopt version {later.version}, so none can adopt"
            f" {rules.version}; publish the rules of version {rules.version} again, as a new version"
        )
    plan = session.plan_with(rules, _removable_tasks(session))
    for other in session.catalog.versions(rules.name):
        if other.version > rules.version:  # otherwise a fold could begin the session with a version that was not newest
            session.index_rules(other.position)
    _bind(session, rules, plan, event, fresh=False)
    decision = Decision(outcome=Outcome.APPLIED)
    decision.rules = BoundRules(rules.name, rules.version)
    return decision


def decide_with_rules(session: Session, event: Event, decide: Callable[[Session, Event], Decision]) -> Decision:
    """Decides an event of a session that begins, or that has published rules, and binds it to the rules that apply.

    Raises UnknownRules, InvalidConfiguration for rules that the caller cannot carry out, and what `decide` raises. The
    session is unchanged then.
    """
    rules = _rules_for(session, event)
    if rules is None:
        return decide(session, event)
    if isinstance(event, SessionImported):
        return _import(session, event, rules, decide)
    try:
        plan = session.plan_with(rules, _removable_tasks(session))
    except InvalidConfiguration:
        if not session.exists:
            raise  # otherwise the session would begin without its rules
        return decide(session, event)  # the session stays on its version; `pending_rules` says why
    savepoint = session.savepoint()
    try:
        _bind(session, rules, plan, event, fresh=not session.exists)
        decision = decide(session, event)
    except BaseException:
        session.roll_back(savepoint)
        raise
    if decision.outcome in _BINDS_NOTHING:
        session.roll_back(savepoint)
    else:
        decision.rules = BoundRules(rules.name, rules.version)
    return decision


def pending_rules(session: Session) -> tuple[PublishedRules, str] | None:
    """Returns the version that the session would adopt but cannot, with the reason. Otherwise returns None."""
    bound = session.header.published
    rules = None if bound is None else session.catalog.to_adopt(bound.name, bound.version)
    if rules is None:
        return None
    try:
        session.plan_with(rules, _removable_tasks(session))
    except InvalidConfiguration as error:
        return rules, str(error)
    return None


def _rules_for(session: Session, event: Event) -> PublishedRules | None:
    """Returns the rules that this event binds the session to, or None. Raises UnknownRules."""
    catalog, bound = session.catalog, session.header.published
    if session.exists:
        rules = None if bound is None else catalog.to_adopt(bound.name, bound.version)
        return None if rules is None or _cannot_bind(event) else rules
    if _cannot_bind(event):
        return None
    if event.rules is None:
        return catalog.rules_for(session.uid)
    rules = catalog.newest(event.rules)
    if rules is None:
        raise UnknownRules(f"nobody has published rules with the name {event.rules!r:.300}; run `triggers rules list`")
    return rules


def _cannot_bind(event: Event) -> bool:
    """Returns whether the event binds no session on the side: it deletes the session, says itself which rules the
    session adopts, or is the session's timer.
    """
    if isinstance(event, TimerFired):
        return not event.instance
    return isinstance(event, DeletionRequested | AdoptionRequested)


def _removable_tasks(session: Session) -> list[str]:
    """Returns the tasks of its published rules that a session has not replaced and has resolved all instances of."""
    bound = session.header.published
    rules = None if bound is None else session.catalog.version(bound.name, bound.version)
    if bound is None or rules is None:
        return []
    tasks = session.published_plan(rules).tasks.keys() - set(bound.replaced)
    return [task for task in tasks if (state := session.tasks.get(task)) is None or not state.unresolved]


def _import(
    session: Session, event: SessionImported, rules: PublishedRules, decide: Callable[[Session, Event], Decision]
) -> Decision:
    """Imports a session and adds the rules to what was imported, if that is valid."""
    decision = decide(session, event)
    with suppress(InvalidConfiguration):
        _bind(session, rules, session.plan_with(rules, ()), event, fresh=False)
        decision.rules = BoundRules(rules.name, rules.version)
    return decision


def _bind(session: Session, rules: PublishedRules, plan: Plan, event: Event, *, fresh: bool) -> None:
    before = session.plan
    session.configure(plan)
    session.header.published, session.is_bound = RuleBinding(rules.name, rules.version), True
    session.index_rules(rules.position)
    if not fresh:
        switch_rules(session, before, event.recorded or event.time)
