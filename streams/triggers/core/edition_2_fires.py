"""Fires a trigger in a session of edition 2: for its tasks in declaration order, then for forwards."""

from __future__ import annotations

from triggers.core import edition_2_attempts
from triggers.core.calling import forwarded
from triggers.core.commands import FireRecord, Outcome
from triggers.core.concern import Concern, delay_or_leave
from triggers.core.conditions.holding import Occurrence
from triggers.core.contribution import Contribution
from triggers.core.fired import FiredKwargs
from triggers.core.follow_ups import FollowUps
from triggers.core.plan import Rule
from triggers.core.state.header import Fact
from triggers.core.state.loaded_instance import LoadedInstance
from triggers.core.step import DecisionBuilder


def fire_in_edition_2(builder: DecisionBuilder, follow: FollowUps, fired: FiredKwargs) -> None:
    """Fires a trigger, and starts or delays the instances that became ready."""
    _begin(builder, follow, fired)
    ready: list[LoadedInstance] = []
    for rule in builder.session.plan.by_trigger.get(fired.trigger, ()):
        if rule.edition_2 is not None:
            ready += Concern(builder, rule, rule.edition_2, follow).ready()
    fired.store_latest()
    _note_fact(builder, follow, fired.trigger)
    rules = builder.session.plan.tasks
    scheduled = [loaded.name for loaded in ready if _start(builder, rules[loaded.task], loaded)]
    builder.fires.append(FireRecord(fired.trigger, () if builder.outcome is Outcome.STOPPED else tuple(scheduled)))
    _forward(builder, follow)


def _begin(builder: DecisionBuilder, follow: FollowUps, fired: FiredKwargs) -> None:
    header = builder.session.header.begin_edition_2()
    header.fires += 1
    own = Contribution(fired.kwargs, builder.now, header.fires, b"", builder.time, follow.event_id, follow.source)
    follow.occurrence = Occurrence(fired.trigger, own)
    follow.event_id = follow.source = None


def _note_fact(builder: DecisionBuilder, follow: FollowUps, trigger: str) -> None:
    own = follow.occurrence.contribution
    builder.session.facts.hot[trigger] = Fact(own.clock, own.order, own.time, own.id, own.source)


def _start(builder: DecisionBuilder, rule: Rule, loaded: LoadedInstance) -> bool:
    if not delay_or_leave(builder, rule, loaded):
        return False
    edition_2_attempts.start(builder, rule, loaded)
    return True


def _forward(builder: DecisionBuilder, follow: FollowUps) -> None:
    for forward in follow.rules.forwards:
        event_id = f"forward:{builder.session.uid}:{builder.position}:{len(follow.forwards)}"
        if sent := forwarded(forward, follow.occurrence, follow.surroundings, event_id):
            follow.forwards.append(sent)
            if builder.outcome is Outcome.UNUSED:
                builder.outcome = Outcome.APPLIED
