"""`TaskOffer`: offers a trigger to one task of edition 2, whose instances it fills, creates, cancels or abandons."""

from __future__ import annotations

from typing import Final

from triggers.core.calling import bind_received
from triggers.core.commands import Outcome
from triggers.core.conditions.condition_view import ConditionView
from triggers.core.conditions.held import Held, Memory
from triggers.core.conditions.memory import remember, seeds
from triggers.core.conditions.offering import Offered, match_leaves, offer
from triggers.core.conditions.receiving import mark_begun
from triggers.core.conditions.tree import Leaf
from triggers.core.contribution import Contribution
from triggers.core.decision_builder import DecisionBuilder
from triggers.core.edition_2_rule import Edition2Rule
from triggers.core.fired_kwargs import FiredKwargs
from triggers.core.follow_ups import FollowUps
from triggers.core.groups import add_to_group, receive_kwargs, remove_from_group
from triggers.core.kwargs import encoded_name, join_members
from triggers.core.lifecycle import cancel_instance, change_status, create_instance
from triggers.core.plan import Rule
from triggers.core.state.group_parts import join_parts
from triggers.core.state.instance import Instance
from triggers.core.state.latest import contribution_of
from triggers.core.state.loaded_instance import LoadedInstance
from triggers.core.state.number_ranges import numbers_in
from triggers.core.state.session import Session
from triggers.core.state.waiting import Group
from triggers.core.statuses import DELAYED, WAITING, Status
from triggers.core.timer_kinds import TimerKind
from triggers.core.timer_rows import set_timer_of_kind
from triggers.core.timing import delay_due

_APPLIED: Final = Outcome.APPLIED  # looked up only once, because each look-up of an enumeration's member takes 0.1 µs
_UNUSED: Final = Outcome.UNUSED
_DELAY: Final = TimerKind.DELAY
_DEADLINE: Final = TimerKind.DEADLINE


class TaskOffer:
    """One fired trigger and one task with a leaf for it."""

    def __init__(
        self, builder: DecisionBuilder, rule: Rule, edition_2: Edition2Rule, follow: FollowUps, fired: FiredKwargs
    ) -> None:
        self._builder = builder
        self._fired = fired
        self._rule = rule
        self._edition_2 = edition_2
        self._follow = follow
        self._session = builder.session
        self._waiting = builder.session.waiting.get(rule.name)
        """The groups that wait for the task."""

    def collect_ready(self) -> list[LoadedInstance]:
        """Cancels, fills and creates instances of the task. Returns those that became ready, in creation order."""
        self._cancel()
        conditions, occurrence = self._edition_2.conditions, self._follow.occurrence
        leaves = conditions.by_trigger.get(occurrence.trigger, ())
        offered = match_leaves(leaves, occurrence, self._follow.evaluator)
        if not offered.keys:
            return []
        self._mark_applied()
        self._remember(leaves, offered)
        took = False
        if self._waiting.groups:
            self._waiting = self._session.waiting.change(self._rule.name)
            for group in list(self._waiting.groups):
                took = self._offer_to_group(group, offered) or took
        created = self._create_instance(offered) if self._creates_instance(offered, took=took) else []
        return [*self._abandon_or_collect(), *created] if self._waiting.groups else created

    def _mark_applied(self) -> None:
        if self._builder.outcome is _UNUSED:
            self._builder.outcome = _APPLIED

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
            if any(self._matches(leaf, loaded) for leaf in leaves):
                self._mark_applied()
                cancel_instance(self._builder, loaded, terminate=cancel_on is not None and cancel_on.terminate)

    def _matches(self, leaf: Leaf, loaded: LoadedInstance) -> bool:
        if leaf.when is None:
            return True
        evaluator, instance = self._follow.evaluator, loaded.instance
        if instance.status in WAITING and (group := self._waiting.group_of(loaded.number)):
            view = ConditionView(self._edition_2.conditions, join_parts(group.held, instance.held), evaluator)
            return evaluator.is_true(leaf.when, self._follow.occurrence, view.bound)
        return evaluator.is_true(leaf.when, self._follow.occurrence, bind_received(_received(self._session, instance)))

    # -- offering -----------------------------------------------------------------------------------------------------

    def _remember(self, leaves: tuple[Leaf, ...], offered: Offered) -> None:
        if self._edition_2.remembers and any(leaf.slot in offered.keys and not leaf.is_latest for leaf in leaves):
            memory = self._session.memories.change(self._rule.name)
            remember(memory, [leaf for leaf in leaves if not leaf.is_latest], offered)

    def _offer_to_group(self, group: Group, offered: Offered) -> bool:
        """Offers the event to a group, and returns whether the group took it."""
        view = ConditionView(self._edition_2.conditions, group.held, self._follow.evaluator)
        taken = offer(view, offered)
        if taken.took:
            group.depth = self._builder.cascade_depth
        if self._begins_deadline(view, offered.contribution.order) and self._edition_2.deadline:
            self._set_timers(group, _DEADLINE)
        if taken.in_after and group.delayed and self._edition_2.delay and self._edition_2.delay.restart:
            self._set_timers(group, _DELAY)
        return taken.took

    def _begins_deadline(self, view: ConditionView, order: int | None = None) -> bool:
        """Returns `mark_begun`, which only rules with a deadline, or whose leaves drop contributions, need."""
        directives = self._edition_2
        return (directives.deadline is not None or not directives.conditions.steady) and mark_begun(view, order)

    def _set_timers(self, group: Group, kind: TimerKind) -> None:
        for number in numbers_in(group.members):
            self._set_timer(self._session.instances.get_to_change(self._rule.name, number), kind)

    def _set_timer(self, loaded: LoadedInstance, kind: TimerKind) -> None:
        now, directives = self._builder.now, self._edition_2
        if kind is _DELAY and directives.delay is not None:
            due = delay_due(directives.delay, now, loaded.instance.delayed_at)
        elif directives.deadline is not None:
            due = now + directives.deadline.wait
        set_timer_of_kind(self._builder, loaded, kind, due)

    def _creates_instance(self, offered: Offered, *, took: bool) -> bool:
        """Returns whether the event creates an instance."""
        makers = [
            leaf for leaf in self._edition_2.conditions.leaves if leaf.slot in offered.keys and not leaf.correlated
        ]
        if self._session.task_state(self._rule.name).count == 0:
            return bool(makers)
        return self._edition_2.conditions.and_every in makers and not took

    def _create_instance(self, offered: Offered) -> list[LoadedInstance]:
        """Creates an instance from what is remembered and the event. Returns it if it must start at once."""
        session, rule, builder = self._session, self._rule, self._builder
        instance = Instance(sequence=session.header.instances, created=builder.time)
        loaded = create_instance(builder, rule.name, instance)
        view = ConditionView(self._edition_2.conditions, Held(), self._follow.evaluator)
        self._seed(view, offered)
        offer(view, offered)
        if self._begins_deadline(view) and self._edition_2.deadline:
            self._set_timer(loaded, _DEADLINE)
        if self._edition_2.delay is None:
            if self._starts(view):
                receive_kwargs(session, self._follow, instance, view, alone=True)
                self._hold_fired(loaded)
                return [loaded]
        elif view.conditions.steady and self._starts(view):  # no expression would be evaluated twice
            loaded.held = view.held
            return [loaded]
        add_to_group(builder, rule, loaded, view.held)
        return []

    def _starts(self, view: ConditionView) -> bool:
        unless = self._edition_2.conditions.unless
        return view.is_true(self._edition_2.conditions.root) and (unless is None or not view.is_true(unless))

    def _seed(self, view: ConditionView, offered: Offered) -> None:
        """Lets a new instance begin with what is remembered. A steady rule's leaves get it without being offered it."""
        recalled = recall(session=self._session, rule=self._edition_2, offered=offered)
        if not view.conditions.steady:
            for seed in seeds(view.conditions, recalled, offered):
                offer(view, seed)
            return
        order, every = offered.contribution.order, view.conditions.and_every
        for slot, contributions in recalled.slots.items():
            if (every is None or slot != every.slot or slot not in offered.keys) and slot in view.conditions.by_slot:
                view.slots[slot] = [contribution for contribution in contributions if contribution.order != order]

    # -- abandoning ---------------------------------------------------------------------------------------------------

    def _abandon_or_collect(self) -> list[LoadedInstance]:
        """Abandons the waiting instances whose `unless` is true. Returns those that became ready, in creation order."""
        abandoned: list[int] = []
        ready: list[int] = []
        for group in self._waiting.groups:
            view = ConditionView(self._edition_2.conditions, group.held, self._follow.evaluator)
            unless = self._edition_2.conditions.unless
            if unless is not None and view.is_true(unless):
                abandoned += numbers_in(group.members)
            elif not group.delayed and view.is_true(self._edition_2.conditions.root):
                ready += numbers_in(group.members)
        instances, task = self._session.instances, self._rule.name
        for number in sorted(abandoned):
            change_status(self._builder, instances.get(task, number), Status.ABANDONED)
        return [self._take_out(instances.get_to_change(task, number)) for number in sorted(ready)]

    def _take_out(self, loaded: LoadedInstance) -> LoadedInstance:
        """Ends the waiting of an instance that became ready, unless its rule has a delay."""
        if self._edition_2.delay is None:
            remove_from_group(self._builder, loaded)
            self._hold_fired(loaded)
        return loaded

    def _hold_fired(self, loaded: LoadedInstance) -> None:
        """Lets an instance that alone has received the fired kwargs hold them as the latest ones of their trigger."""
        if loaded.instance.kwargs.get(self._fired.trigger) is self._fired.kwargs:
            self._fired.payload_for_instance(loaded.task, loaded.number)


def begin_delay(builder: DecisionBuilder, rule: Rule, loaded: LoadedInstance) -> bool:
    """Lets a ready instance wait for the delay of its rule. Returns False if the rule has none."""
    if rule.edition_2 is None or rule.edition_2.delay is None:
        return False
    instance, held = loaded.instance, loaded.held
    if held is None:
        group = builder.session.waiting.change(rule.name).remove_member(loaded.number)
        held = Held() if group is None else join_parts(group.held, instance.held)
    loaded.held = None
    instance.status = DELAYED
    instance.modified = instance.stamps[DELAYED] = builder.time
    instance.delayed_at = builder.now
    builder.record_status(loaded.name, DELAYED)
    set_timer_of_kind(builder, loaded, _DELAY, delay_due(rule.edition_2.delay, builder.now, builder.now))
    add_to_group(builder, rule, loaded, held)
    return True


def recall(session: Session, rule: Edition2Rule, offered: Offered) -> Memory:
    """Returns what the session remembers for a task. Leaves that need only the latest kwargs get those.

    `offered` is the event that creates an instance. Its own leaves get the event instead of the latest kwargs.
    """
    slots = dict(session.memories.get(rule.name).slots) if rule.remembers else {}
    for leaf in rule.conditions.leaves:
        if leaf.is_latest and leaf.slot not in offered.keys and (latest := latest_of(session, leaf.trigger)):
            slots[leaf.slot] = [latest]
    return Memory(slots)


def latest_of(session: Session, trigger: str) -> Contribution | None:
    """Returns the last fire of the trigger as a contribution, or None if it has never fired."""
    record, kwargs = session.latest.get(trigger), session.payloads.read_latest(trigger)
    return None if record is None or kwargs is None else contribution_of(record, kwargs)


def _received(session: Session, instance: Instance) -> bytes:
    read = session.payloads.read
    return join_members([encoded_name(alias) + read(payload) for alias, payload in instance.kwargs.items()])
