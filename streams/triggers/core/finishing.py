"""Ends a step: in edition 2, fires the outcome triggers that it has caused and, at the end, `finalize`."""

from __future__ import annotations

from typing import Final

import msgspec

from triggers.core.commands import Decision, Outcome
from triggers.core.edition_2_rule import Edition2Rule
from triggers.core.fired import FiredKwargs
from triggers.core.follow_ups import FollowUps, QueuedOutcome
from triggers.core.instance_names import instance_name
from triggers.core.kwargs import join_object
from triggers.core.rules import fire_trigger
from triggers.core.state.session import Session
from triggers.core.statuses import Status
from triggers.core.step import DecisionBuilder

MAX_CHAIN: Final = 64
"""Outcomes that may follow from one another within one step."""

_json: Final = msgspec.json.Encoder().encode


def finish(builder: DecisionBuilder) -> Decision:
    """Fires the outcome triggers of the step, and returns its decision."""
    if (follow := builder.follow) is not None:
        _run(builder, follow)
        _finalize(builder, follow)
    return builder.build()


def _run(builder: DecisionBuilder, follow: FollowUps) -> None:
    """Fires the outcome triggers, first in, first out. Each is a complete fire and may cause more of them."""
    while follow.outcomes:
        outcome = follow.outcomes.popleft()
        instance = builder.session.instances.get(outcome.task, outcome.number).instance
        if instance.status != outcome.status:
            continue  # self.retry() has replayed it at once
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
    """Fires `finalize`, once, if no task is unresolved but those that name it."""
    header, trigger = builder.session.header, follow.rules.finalize
    if trigger is None or not header.instances or (own := header.begin_edition_2()).finalized:
        return
    if any(_is_in_the_way(builder.session, rule, trigger) for rule in follow.rules.tasks.values()):
        return
    own.finalized = True
    outcome, builder.cascade_depth, follow.chain = builder.outcome, 0, 0
    fire_trigger(builder, FiredKwargs(builder.session, trigger, b"{}"))
    _run(builder, follow)
    if outcome is Outcome.UNUSED and builder.outcome is Outcome.APPLIED:
        builder.outcome = outcome


def _is_in_the_way(session: Session, rule: Edition2Rule, trigger: str) -> bool:
    state = session.task_state(rule.name)
    if state.unresolved == 0 and (state.count > 0 or rule.optional):
        return False
    cancelling = () if rule.cancel_on is None else rule.cancel_on.leaves
    return all(leaf.trigger != trigger for leaf in (*rule.conditions.leaves, *cancelling))
