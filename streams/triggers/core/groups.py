"""Adds instances of edition 2 to the groups in which they wait, and removes them."""

from __future__ import annotations

from typing import Final

from triggers.core.conditions.condition_view import ConditionView
from triggers.core.conditions.evaluator import Evaluator
from triggers.core.conditions.held import Held
from triggers.core.conditions.receiving import received, seen
from triggers.core.contribution import Contribution
from triggers.core.decision_builder import DecisionBuilder
from triggers.core.edition_2_plan import OUTCOMES
from triggers.core.follow_ups import FollowUps, QueuedOutcome
from triggers.core.joined_spans import add_spans
from triggers.core.plan import Rule
from triggers.core.state.fire_spans import spans_of_fires
from triggers.core.state.group_parts import join_parts, private_part, shared_part
from triggers.core.state.instance import Instance, Payload
from triggers.core.state.loaded_instance import LoadedInstance
from triggers.core.state.number_ranges import insert_number, remove_number
from triggers.core.state.session import Session
from triggers.core.state.waiting import Group
from triggers.core.statuses import IN_FLIGHT, UNSTARTED, WAITING

_MAX_INLINE_BYTES: Final = 512
"""Maximum size of kwargs in an instance's row, as in `fired_kwargs`."""


def add_to_group(builder: DecisionBuilder, rule: Rule, loaded: LoadedInstance, held: Held) -> None:
    """Lets an instance wait, in the group that holds the same."""
    blind = rule.edition_2 is not None and rule.edition_2.blind
    loaded.instance.held = private_part(held) if blind else None
    builder.session.waiting.change(rule.name).add_member(
        loaded.number,
        shared_part(held) if blind else held,
        delayed=loaded.instance.status != UNSTARTED,
        depth=builder.cascade_depth,
    )


def remove_from_group(builder: DecisionBuilder, loaded: LoadedInstance) -> Group | None:
    """Ends the waiting of an instance and determines what its task receives. Returns its group, if any."""
    instance = loaded.instance
    if instance.status not in WAITING:
        return None
    if builder.session.waiting.get(loaded.task).group_of(loaded.number) is None:
        return None  # it starts as soon as it is created
    follow, rule = builder.follow, builder.session.plan.tasks.get(loaded.task)
    group = builder.session.waiting.change(loaded.task).remove_member(loaded.number)
    if group is not None and follow is not None and rule is not None and rule.edition_2 is not None:
        view = ConditionView(rule.edition_2.conditions, join_parts(group.held, instance.held), follow.evaluator)
        receive_kwargs(builder.session, follow, instance, view, alone=not group.members)
    instance.held = None
    return group


def receive_kwargs(
    session: Session, follow: FollowUps, instance: Instance, view: ConditionView, *, alone: bool
) -> None:
    """Stores in an instance what its task receives, and which triggers of `unless` it has counted.

    `alone` says that no other instance receives the same, so that small kwargs can be in the instance's row.
    """
    instance.unless_seen = seen(view)
    if session.spans:
        instance.spans = add_spans(spans_of_fires(session.spans, _fires_of(view.held)), instance.spans)
    texts = received(view)
    instance.kwargs = {alias: _payload(session, follow, text, alone=alone) for alias, text in texts.items()}


def _fires_of(held: Held) -> set[int]:
    """Returns the numbers of the fires that are held for `after` and `andEvery`."""
    return {own.order for slot, held_there in held.slots.items() if slot[0] == "+" for own in held_there}


def held_by(session: Session, loaded: LoadedInstance) -> tuple[dict[str, bytes], list[str]] | None:
    """Returns what the task of a waiting instance would receive now, and the triggers of `unless` that it has counted.

    Returns None for an instance that does not wait, and for one whose rule is of edition 1.
    """
    rule = session.plan.tasks.get(loaded.task)
    if rule is None or rule.edition_2 is None:
        return None
    if (group := session.waiting.get(loaded.task).group_of(loaded.number)) is None:
        return None
    evaluator = Evaluator(session.variables())
    view = ConditionView(rule.edition_2.conditions, join_parts(group.held, loaded.instance.held), evaluator)
    return received(view), seen(view)


def _payload(session: Session, follow: FollowUps, text: bytes, *, alone: bool) -> Payload:
    if alone and len(text) <= _MAX_INLINE_BYTES:
        return text
    if text not in follow.payloads:
        follow.payloads[text] = session.payloads.add(text)
    return follow.payloads[text]


def handle_status(builder: DecisionBuilder, loaded: LoadedInstance) -> None:
    """Handles a new status of an instance of edition 2.

    The instance waits again if it is unstarted, is recorded as in flight or not, and fires its outcome trigger if a
    leaf names it.
    """
    task, status = loaded.task, loaded.instance.status
    rule, follow = builder.session.plan.tasks.get(task), builder.follow
    if follow is None:
        return
    if rule is not None and rule.edition_2 is not None:
        if status == UNSTARTED:
            builder.session.payloads.release_latest(task, loaded.number, loaded.instance.kwargs)
            bound = {f"+{alias}": _bound(builder, payload) for alias, payload in loaded.instance.kwargs.items()}
            add_to_group(builder, rule, loaded, Held(loose=bound))
        if rule.edition_2.cancel_on is not None:
            update_in_flight(builder.session, loaded)
    if status in OUTCOMES and f"{task}:{status}" in follow.plan.named:
        outcome = QueuedOutcome(task, loaded.number, status, builder.cascade_depth + 1, follow.chain + 1)
        follow.outcomes.append(outcome)


def _bound(builder: DecisionBuilder, payload: Payload) -> Contribution:
    return Contribution(builder.session.payloads.read(payload), builder.now, 0)


def update_in_flight(session: Session, loaded: LoadedInstance) -> None:
    """Records whether an instance is scheduled or running, so that `cancelOn` finds it."""
    edges = session.waiting.change(loaded.task).in_flight
    remove_number(edges, loaded.number)
    if loaded.instance.status in IN_FLIGHT:
        insert_number(edges, loaded.number)
