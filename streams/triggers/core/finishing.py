"""Finishes a decision: in edition 2, fires the outcome triggers that it has caused and, at the end, `finalize`."""

from __future__ import annotations

from typing import Final

import msgspec

from triggers.core.commands import Outcome
from triggers.core.decision import Decision
from triggers.core.decision_builder import DecisionBuilder
from triggers.core.edition_2_rule import Edition2Rule
from triggers.core.fired_kwargs import FiredKwargs
from triggers.core.follow_ups import FollowUps, QueuedOutcome
from triggers.core.instance_names import instance_name
from triggers.core.kwargs import join_object
from triggers.core.rules import fire_trigger
from triggers.core.state.session import Session
from triggers.core.statuses import Status

MAX_CHAIN: Final = 64
"""Maximum number of outcome triggers of one event of which each causes the next."""

_json: Final = msgspec.json.Encoder().encode


def finish(builder: DecisionBuilder) -> Decision:
    """Fires the outcome triggers, and returns the decision."""
    if (follow := builder.follow) is not None:
        _fire_outcomes(builder, follow)
        _finalize(builder, follow)
    return builder.build()


def _fire_outcomes(builder: DecisionBuilder, follow: FollowUps) -> None:
    """Fires the queued outcome triggers in their order. Each is a fire like any other and may queue more of them."""
    while follow.outcomes:
        outcome = follow.outcomes.popleft()
        instance = builder.session.instances.get(outcome.task, outcome.number).instance
        if instance.status != outcome.status:
            continue  # the task's retry has already replayed it
        if outcome.chain > MAX_CHAIN:
            builder.outcome = Outcome.STOPPED
            continue
        builder.cascade_depth, follow.chain = outcome.depth, outcome.chain
        trigger = f"{outcome.task}:{outcome.status}"
        fire_trigger(builder, FiredKwargs(builder.session, trigger, _kwargs_of(builder.session, outcome)))


def _kwargs_of(session: Session, outcome: QueuedOutcome) -> bytes:
    name = instance_name(outcome.task, outcome.number)
    members = {"instance": _json(name), "status": _json(outcome.status)}
    if outcome.status == Status.FAILED:
        metadata = session.instances.get(outcome.task, outcome.number).instance.metadata
        members["exceptionType"] = metadata.get("exceptionType", b"null")
        members["exceptionContext"] = metadata.get("exceptionContext", b"{}")
    return join_object(members)


def _finalize(builder: DecisionBuilder, follow: FollowUps) -> None:
    """Fires `finalize`, once, if no task is unresolved except those that wait for it."""
    header, trigger = builder.session.header, follow.plan.finalize
    if trigger is None or not header.instances or (edition_2 := header.ensure_edition_2_part()).finalized:
        return
    if any(_blocks_finalize(builder.session, rule, trigger) for rule in follow.plan.tasks.values()):
        return
    edition_2.finalized = True
    outcome, builder.cascade_depth, follow.chain = builder.outcome, 0, 0
    fire_trigger(builder, FiredKwargs(builder.session, trigger, b"{}"))
    _fire_outcomes(builder, follow)
    if outcome is Outcome.UNUSED and builder.outcome is Outcome.APPLIED:
        builder.outcome = outcome


def _blocks_finalize(session: Session, rule: Edition2Rule, trigger: str) -> bool:
    state = session.tasks.get(rule.name)  # without adding one to the header
    is_done = rule.optional if state is None or state.count == 0 else state.unresolved == 0
    if is_done:
        return False
    cancelling = () if rule.cancel_on is None else rule.cancel_on.leaves
    return all(leaf.trigger != trigger for leaf in (*rule.conditions.leaves, *cancelling))
