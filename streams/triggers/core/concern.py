"""Applies a fired trigger to the instances of one task of edition 2."""

from __future__ import annotations

from triggers.core.calling import bound_by
from triggers.core.commands import Outcome
from triggers.core.conditions.holding import Held
from triggers.core.conditions.offering import Offered, offer, offered_to
from triggers.core.conditions.receiving import begins_deadline
from triggers.core.conditions.seeding import Memory, remember, seeds
from triggers.core.conditions.tree import Leaf
from triggers.core.conditions.views import View
from triggers.core.contribution import Contribution
from triggers.core.edition_2_rule import Edition2Rule
from triggers.core.follow_ups import FollowUps
from triggers.core.groups import join_group, leave_group, receive, set_instance_timer
from triggers.core.kwargs import encoded_name, join_members
from triggers.core.lifecycle import cancel_instance, change_status, create_instance
from triggers.core.plan import Rule
from triggers.core.state.instance import Instance
from triggers.core.state.loaded_instance import LoadedInstance
from triggers.core.state.number_ranges import numbers_in
from triggers.core.state.session import Session
from triggers.core.state.waiting import Group, of_member
from triggers.core.statuses import WAITING, Status
from triggers.core.step import DecisionBuilder
from triggers.core.timer_kinds import TimerKind
from triggers.core.timing import delay_due

DELAYED = "delayed"


class Concern:
    """One fired trigger and one task that it concerns."""

    def __init__(self, builder: DecisionBuilder, rule: Rule, edition_2: Edition2Rule, follow: FollowUps) -> None:
        self._step = builder
        self._rule = rule
        self._edition_2 = edition_2
        self._follow = follow
        self._session = builder.session
        self._waiting = builder.session.waiting.get(rule.name)
        """The groups that wait for the task."""

    def ready(self) -> list[LoadedInstance]:
        """Cancels, fills and creates instances. Returns those that must start, in creation order."""
        self._cancel()
        conditions, occurrence = self._edition_2.conditions, self._follow.occurrence
        leaves = conditions.by_trigger.get(occurrence.trigger, ())
        offered = offered_to(leaves, occurrence, self._follow.surroundings)
        if not offered.keys:
            return []
        self._note_used()
        self._remember(leaves, offered)
        took = False
        if self._waiting.groups:
            self._waiting = self._session.waiting.change(self._rule.name)
            for group in list(self._waiting.groups):
                took = self._give(group, offered) or took
        created = self._create(offered) if self._creates(offered, took=took) else []
        return [*self._look(), *created] if self._waiting.groups else created

    def _note_used(self) -> None:
        if self._step.outcome is Outcome.UNUSED:
            self._step.outcome = Outcome.APPLIED

    # -- cancelling ---------------------------------------------------------------------------------------------------

    def _cancel(self) -> None:
        """Cancels every existing instance that a leaf of `cancelOn` matches."""
        cancel_on, trigger = self._edition_2.cancel_on, self._follow.occurrence.trigger
        leaves = () if cancel_on is None else tuple(leaf for leaf in cancel_on.leaves if leaf.trigger == trigger)
        if not leaves:
            return
        waiting = [number for group in self._waiting.groups for number in numbers_in(group.members)]
        for number in sorted([*waiting, *numbers_in(self._waiting.in_flight)]):
            loaded = self._session.instances.get(self._rule.name, number)
            if any(self._means(leaf, loaded) for leaf in leaves):
                self._note_used()
                cancel_instance(self._step, loaded, terminate=cancel_on is not None and cancel_on.terminate)

    def _means(self, leaf: Leaf, loaded: LoadedInstance) -> bool:
        if leaf.when is None:
            return True
        surroundings, instance = self._follow.surroundings, loaded.instance
        if instance.status in WAITING and (group := self._waiting.group_of(loaded.number)):
            view = View(self._edition_2.conditions, of_member(group.held, instance.held), surroundings)
            return surroundings.holds(leaf.when, self._follow.occurrence, view.bound)
        return surroundings.holds(leaf.when, self._follow.occurrence, bound_by(_received(self._session, instance)))

    # -- offering -----------------------------------------------------------------------------------------------------

    def _remember(self, leaves: tuple[Leaf, ...], offered: Offered) -> None:
        if self._edition_2.remembers and any(leaf.slot in offered.keys and not leaf.is_latest for leaf in leaves):
            memory = self._session.memories.change(self._rule.name)
            remember(memory, [leaf for leaf in leaves if not leaf.is_latest], offered)

    def _give(self, group: Group, offered: Offered) -> bool:
        """Offers the event to a group, and returns whether the group took it."""
        view = View(self._edition_2.conditions, group.held, self._follow.surroundings)
        taken = offer(view, offered)
        if taken.took:
            group.depth = self._step.cascade_depth
        if self._begins(view, offered.contribution.order) and self._edition_2.deadline:
            self._set_timers(group, TimerKind.DEADLINE)
        if taken.in_after and group.delayed and self._edition_2.delay and self._edition_2.delay.restart:
            self._set_timers(group, TimerKind.DELAY)
        return taken.took

    def _begins(self, view: View, order: int | None = None) -> bool:
        """Returns `begins_deadline`, which only rules with a deadline, or whose leaves drop contributions, need."""
        directives = self._edition_2
        return (directives.deadline is not None or not directives.conditions.steady) and begins_deadline(view, order)

    def _set_timers(self, group: Group, kind: TimerKind) -> None:
        for number in numbers_in(group.members):
            self._set_timer(self._session.instances.get_to_change(self._rule.name, number), kind)

    def _set_timer(self, loaded: LoadedInstance, kind: TimerKind) -> None:
        now, directives = self._step.now, self._edition_2
        if kind is TimerKind.DELAY and directives.delay is not None:
            due = delay_due(directives.delay, now, loaded.instance.delayed_at)
        elif directives.deadline is not None:
            due = now + directives.deadline.wait
        set_instance_timer(self._step, loaded, kind, due)

    def _creates(self, offered: Offered, *, took: bool) -> bool:
        """Returns whether the event creates an instance."""
        own = [leaf for leaf in self._edition_2.conditions.leaves if leaf.slot in offered.keys and not leaf.correlated]
        if self._session.task_state(self._rule.name).count == 0:
            return bool(own)
        return self._edition_2.conditions.and_every in own and not took

    def _create(self, offered: Offered) -> list[LoadedInstance]:
        """Creates an instance from what is remembered and the event. Returns it if it must start at once."""
        session, rule, builder = self._session, self._rule, self._step
        instance = Instance(sequence=session.header.instances, created=builder.time)
        loaded = create_instance(builder, rule.name, instance)
        view = View(self._edition_2.conditions, Held(), self._follow.surroundings)
        self._seed(view, offered)
        offer(view, offered)
        if self._begins(view) and self._edition_2.deadline:
            self._set_timer(loaded, TimerKind.DEADLINE)
        if self._edition_2.delay is None and self._starts(view):
            receive(session, self._follow, instance, view, alone=True)
            return [loaded]
        join_group(builder, rule, loaded, view.held)
        return []

    def _starts(self, view: View) -> bool:
        unless = self._edition_2.conditions.unless
        return view.is_true(self._edition_2.conditions.root) and (unless is None or not view.is_true(unless))

    def _seed(self, view: View, offered: Offered) -> None:
        """Offers what is remembered. If neither order nor time matters, the leaves simply get it."""
        recalled = self._recalled(offered)
        if not view.conditions.steady:
            for seed in seeds(view.conditions, recalled, offered):
                offer(view, seed)
            return
        order, every = offered.contribution.order, view.conditions.and_every
        for slot, own in recalled.slots.items():
            if (every is None or slot != every.slot or slot not in offered.keys) and slot in view.conditions.by_slot:
                view.held.slots[slot] = [contribution for contribution in own if contribution.order != order]

    def _recalled(self, offered: Offered) -> Memory:
        """Returns what is remembered. Leaves that need no more than the latest kwargs of their triggers get those."""
        slots = dict(self._session.memories.get(self._rule.name).slots) if self._edition_2.remembers else {}
        for leaf in self._edition_2.conditions.leaves:
            if leaf.is_latest and leaf.slot not in offered.keys and (own := latest_of(self._session, leaf.trigger)):
                slots[leaf.slot] = [own]
        return Memory(slots)

    # -- looking ------------------------------------------------------------------------------------------------------

    def _look(self) -> list[LoadedInstance]:
        """Abandons or delays each waiting instance, or returns it to be started, in creation order."""
        abandoned: list[int] = []
        ready: list[int] = []
        for group in self._waiting.groups:
            view = View(self._edition_2.conditions, group.held, self._follow.surroundings)
            unless = self._edition_2.conditions.unless
            if unless is not None and view.is_true(unless):
                abandoned += numbers_in(group.members)
            elif not group.delayed and view.is_true(self._edition_2.conditions.root):
                ready += numbers_in(group.members)
        instances, task = self._session.instances, self._rule.name
        for number in sorted(abandoned):
            change_status(self._step, instances.get(task, number), Status.ABANDONED)
        return [instances.get_to_change(task, number) for number in sorted(ready)]


def delay_or_leave(builder: DecisionBuilder, rule: Rule, loaded: LoadedInstance) -> bool:
    """Lets a ready instance wait for its delay. Returns True if there is none and the instance no longer waits."""
    if rule.edition_2 is None or rule.edition_2.delay is None:
        leave_group(builder, loaded)
        return True
    instance, waiting = loaded.instance, builder.session.waiting.change(rule.name)
    group = waiting.leave(loaded.number)
    held = Held() if group is None else of_member(group.held, instance.held)
    instance.status = DELAYED
    instance.modified = instance.stamps[DELAYED] = builder.time
    instance.delayed_at = builder.now
    builder.record_status(loaded.name, DELAYED)
    set_instance_timer(builder, loaded, TimerKind.DELAY, delay_due(rule.edition_2.delay, builder.now, builder.now))
    join_group(builder, rule, loaded, held)
    return False


def latest_of(session: Session, trigger: str) -> Contribution | None:
    """Returns the latest firing of the trigger."""
    fact, kwargs = session.facts.get(trigger), session.payloads.read_latest(trigger)
    if fact is None or kwargs is None:
        return None
    return Contribution(kwargs, fact.clock, fact.order, b"", fact.time, fact.id, fact.source)


def _received(session: Session, instance: Instance) -> bytes:
    read = session.payloads.read
    return join_members([encoded_name(alias) + read(payload) for alias, payload in instance.kwargs.items()])
