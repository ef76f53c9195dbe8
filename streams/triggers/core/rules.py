"""Applies a trigger to the rules of a session: which instances it fills, creates, abandons and starts."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from operator import attrgetter
from typing import Final

from mypy_extensions import mypyc_attr

from triggers.core.commands import Outcome
from triggers.core.decision import FireRecord
from triggers.core.decision_builder import DecisionBuilder
from triggers.core.edition_2_fires import fire_in_edition_2
from triggers.core.fired_kwargs import FiredKwargs
from triggers.core.lifecycle import change_status, start_instance, take_over_fills
from triggers.core.plan import Rule
from triggers.core.state.cohorts import add_to_cohort, members_of_cohort, only_member
from triggers.core.state.header_parts import Cohort, TaskState
from triggers.core.state.held_fires import add_fire
from triggers.core.state.instance import Instance, Payload
from triggers.core.state.latest import held_fire, order_in_edition_1
from triggers.core.state.loaded_instance import LoadedInstance
from triggers.core.state.session import Session
from triggers.core.statuses import UNSTARTED, Status

_STOPPED: Final = Outcome.STOPPED  # looked up only once, because each look-up of an enumeration's member takes 0.1 µs


def fire_trigger(builder: DecisionBuilder, fired_kwargs: FiredKwargs) -> None:
    """Fires a trigger and starts the instances that become ready, by declaration order and then creation order."""
    session, trigger = builder.session, fired_kwargs.trigger
    if (follow := builder.follow) is not None:
        fire_in_edition_2(builder, follow, fired_kwargs)
        return
    if builder.span or session.spans:
        session.record_span(trigger, session.header.instances, builder.span)
    ready: list[LoadedInstance] = []
    for rule in session.plan.by_trigger.get(trigger, ()):
        state = session.task_state(rule.name)
        creates = trigger == rule.and_every or state.count == 0
        if state.cohorts:
            offer = _Offer(builder, rule, state, fired_kwargs)
            creates = offer.fill_cohorts() and creates
            ready += offer.ready
        if creates and (loaded := _create_instance(builder, rule, state, fired_kwargs)) is not None:
            ready.append(loaded)
    fired_kwargs.store_latest()
    rules = session.plan.tasks
    for loaded in ready:
        start_instance(builder, rules[loaded.task], loaded)
    scheduled = () if builder.outcome is _STOPPED else tuple([loaded.name for loaded in ready])
    builder.fires.append(FireRecord(trigger, scheduled))


def can_run(rule: Rule, have: Collection[str]) -> bool:
    """Returns whether `have` contains all triggers of `after`. A task with an empty `after` never becomes ready."""
    return bool(rule.after) and _all_in(rule.after, have)


def can_abandon(rule: Rule, seen: Collection[str]) -> bool:
    """Returns whether `seen` contains all triggers of `unless`. A task without `unless` is never abandoned."""
    return bool(rule.unless) and _all_in(rule.unless, seen)


def _all_in(names: Sequence[str], have: Collection[str]) -> bool:
    """Returns whether `have` contains all names. `set.issubset` would have to build a set first."""
    for name in names:  # noqa: SIM110  # a generator takes longer than the comparisons
        if name not in have:
            return False
    return True


_number: Final = attrgetter("number")


@mypyc_attr(acyclic=True, free_list_len=1)
class _Offer:
    """One trigger offered to the waiting instances of one task that uses it."""

    def __init__(self, builder: DecisionBuilder, rule: Rule, state: TaskState, fired_kwargs: FiredKwargs) -> None:
        self._builder = builder
        self._rule = rule
        self._state = state
        self._fired_kwargs = fired_kwargs
        self._fills = fired_kwargs.trigger in rule.after_set
        self._sees = fired_kwargs.trigger in rule.unless_set
        self.ready: list[LoadedInstance] = []
        """Instances that became ready, in creation order once `fill_cohorts` has returned."""

    def fill_cohorts(self) -> bool:
        """Gives the trigger to every waiting cohort. Returns True if no cohort could use it."""
        used = [self._fill_cohort(cohort) for cohort in self._state.cohorts]
        for cohort in list(self._state.cohorts):
            self._abandon_or_start(cohort)
        if len(self.ready) > 1:
            self.ready.sort(key=_number)
        return not any(used)

    def _fill_cohort(self, cohort: Cohort) -> bool:
        """Gives the trigger to a cohort and returns whether it could use it. Kwargs that it has are not replaced."""
        session, trigger = self._builder.session, self._fired_kwargs.trigger
        order = order_in_edition_1(session.position)
        fills = self._fills and trigger not in cohort.have
        if fills:
            cohort.have = sorted((*cohort.have, trigger))
            cohort.fills[trigger] = self._kwargs_for(cohort)
            add_fire(cohort, "+" + trigger, session.clock, -order if trigger == self._rule.and_every else order)
        sees = self._sees and trigger not in cohort.seen
        if sees:
            cohort.seen = sorted((*cohort.seen, trigger))
            add_fire(cohort, "-" + trigger, session.clock, order)
        return fills or sees

    def _kwargs_for(self, cohort: Cohort) -> Payload:
        """Returns the payload for a cohort. Only if its single member starts now may the member store the kwargs."""
        number = only_member(cohort)
        if number is not None and can_run(self._rule, cohort.have):
            return self._fired_kwargs.payload_for_instance(self._rule.name, number)
        return self._fired_kwargs.shared_payload()

    def _abandon_or_start(self, cohort: Cohort) -> None:
        """Abandons the members of a cohort, or makes them ready, if the rule says so.

        This includes cohorts that could not use the trigger, because an update of the configuration may have made them
        ready.
        """
        if can_abandon(self._rule, cohort.seen):
            for loaded in self._dissolve(cohort):
                change_status(self._builder, loaded, Status.ABANDONED)
        elif can_run(self._rule, cohort.have):
            self.ready += self._dissolve(cohort)

    def _dissolve(self, cohort: Cohort) -> list[LoadedInstance]:
        """Removes a cohort and copies its fills into the rows of its members, which it returns."""
        self._state.cohorts.remove(cohort)
        instances, task = self._builder.session.instances, self._rule.name
        members = [instances.get_to_change(task, number) for number in members_of_cohort(cohort)]
        for loaded in members:
            take_over_fills(loaded.instance, cohort)
        return members


def _create_instance(
    builder: DecisionBuilder, rule: Rule, state: TaskState, fired_kwargs: FiredKwargs
) -> LoadedInstance | None:
    """Creates an instance and returns it if it is ready. Otherwise it waits in a cohort or is abandoned at once."""
    instance = _new_instance(builder, rule, state, fired_kwargs)
    loaded = builder.session.instances.add(rule.name, state, instance)
    builder.record_status(loaded.name, UNSTARTED)
    if can_abandon(rule, instance.unless_seen):
        change_status(builder, loaded, Status.ABANDONED)
    elif can_run(rule, instance.kwargs):
        return loaded
    else:
        instance.fired = _fires_of(builder.session, rule, instance, fired_kwargs.trigger)
        add_to_cohort(state, loaded)
    return None


def _fires_of(session: Session, rule: Rule, instance: Instance, trigger: str) -> list[int]:
    """Returns what `Instance.fired` has for a new instance that waits. The trigger is being fired."""
    order = order_in_edition_1(session.position)
    own = [session.clock, -order if trigger == rule.and_every else order]
    if len(instance.kwargs) + len(instance.unless_seen) == 1:
        return own
    fired: list[int] = []
    for name in [*instance.kwargs, *instance.unless_seen]:
        if name == trigger:
            fired += own
        else:
            record = session.latest.get(name)
            clock, order = (0, 0) if record is None else held_fire(record)
            fired += (clock, -order if name == rule.and_every else order)
    return fired


def _new_instance(builder: DecisionBuilder, rule: Rule, state: TaskState, fired_kwargs: FiredKwargs) -> Instance:
    """Returns an instance with the fired kwargs and the latest kwargs of all triggers that have fired before."""
    session, trigger = builder.session, fired_kwargs.trigger
    kwargs: dict[str, Payload] = {}
    for name in rule.after:
        payload = (
            fired_kwargs.payload_for_instance(rule.name, state.count)
            if name == trigger
            else session.payloads.share_latest(name)
        )
        if payload is not None:
            kwargs[name] = payload
    unless, latest = rule.unless, session.latest.get
    seen = [name for name in unless if name == trigger or latest(name) is not None] if unless else []
    instance = Instance(sequence=session.header.instances, created=builder.time, kwargs=kwargs, unless_seen=seen)
    if builder.span and trigger in kwargs:
        instance.spans = builder.span
    return instance
