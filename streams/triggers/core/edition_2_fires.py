"""Fires a trigger in a session of edition 2: for its tasks in declaration order, then for `$forward`."""

from __future__ import annotations

from typing import Final

from triggers.core import edition_2_attempts
from triggers.core.calling import make_forward
from triggers.core.commands import Outcome
from triggers.core.conditions.evaluator import Occurrence
from triggers.core.contribution import Contribution
from triggers.core.decision import FireRecord
from triggers.core.decision_builder import DecisionBuilder
from triggers.core.fired_kwargs import FiredKwargs
from triggers.core.follow_ups import FollowUps
from triggers.core.plan import Rule
from triggers.core.state.latest import make_stamp
from triggers.core.state.loaded_instance import LoadedInstance
from triggers.core.task_offer import TaskOffer, begin_delay

_APPLIED: Final = Outcome.APPLIED  # looked up only once, because each look-up of an enumeration's member takes 0.1 µs
_UNUSED: Final = Outcome.UNUSED
_STOPPED: Final = Outcome.STOPPED
_FORWARD: Final = "forward:"


def forward_id(uid: str, position: int, number: int) -> str:
    """Returns the id of the event that `$forward` fires in another session: the n-th one of the event at a position."""
    return f"{_FORWARD}{uid}:{position}:{number}"


def parse_forward_id(event_id: str) -> tuple[str, int] | None:
    """Returns the session whose `$forward` fired an event, and its number there, or None for any other event."""
    uid, _, rest = event_id.removeprefix(_FORWARD).rpartition(":")
    uid = uid.rpartition(":")[0]
    return (uid, int(rest)) if event_id.startswith(_FORWARD) and rest.isdigit() else None


def fire_in_edition_2(builder: DecisionBuilder, follow: FollowUps, fired: FiredKwargs) -> None:
    """Fires a trigger, starts or delays the instances that became ready, and fires the `$forward`s."""
    _begin(builder, follow, fired)
    ready: list[LoadedInstance] = []
    for rule in builder.session.plan.by_trigger.get(fired.trigger, ()):
        if rule.edition_2 is not None:
            ready += TaskOffer(builder, rule, rule.edition_2, follow, fired).collect_ready()
    event = follow.occurrence.contribution
    fired.stamp = make_stamp(event.clock, event.order, event.time, event.id, event.source)
    fired.store_latest()
    rules = builder.session.plan.tasks
    scheduled = [loaded.name for loaded in ready if _start(builder, rules[loaded.task], loaded)]
    builder.fires.append(FireRecord(fired.trigger, () if builder.outcome is _STOPPED else tuple(scheduled)))
    _forward(builder, follow)


def _begin(builder: DecisionBuilder, follow: FollowUps, fired: FiredKwargs) -> None:
    header = builder.session.header.ensure_edition_2_part()
    header.fires += 1
    if builder.span or builder.session.spans:
        builder.session.record_span(fired.trigger, header.fires, builder.span)
    event = Contribution(fired.kwargs, builder.now, header.fires, b"", builder.time, follow.event_id, follow.source)
    follow.occurrence = Occurrence(fired.trigger, event)
    follow.event_id = follow.source = None


def _start(builder: DecisionBuilder, rule: Rule, loaded: LoadedInstance) -> bool:
    """Starts an instance that became ready. Returns False if it waits for its delay instead."""
    if begin_delay(builder, rule, loaded):
        return False
    edition_2_attempts.start_instance(builder, rule, loaded)
    return True


def _forward(builder: DecisionBuilder, follow: FollowUps) -> None:
    for forward in follow.plan.forwards:
        event_id = forward_id(builder.session.uid, builder.position, len(follow.forwards))
        if sent := make_forward(forward, follow.occurrence, follow.evaluator, event_id):
            follow.forwards.append(sent)
            if builder.outcome is _UNUSED:
                builder.outcome = _APPLIED
