"""Carries waiting instances and memories over to updated rules, or from edition 1 to edition 2."""

from __future__ import annotations

from typing import Final

from triggers.core.conditions.evaluator import Evaluator, Occurrence
from triggers.core.conditions.held import Held
from triggers.core.conditions.memory import begin_memory
from triggers.core.conditions.receiving import begun_by_loose
from triggers.core.conditions.tree import Conditions
from triggers.core.conditions.updating import carry_memory_over, carry_over, match_slots
from triggers.core.contribution import Contribution
from triggers.core.edition_2_directives import parse_task
from triggers.core.edition_2_rule import Edition2Rule
from triggers.core.groups import update_in_flight
from triggers.core.lifecycle import take_over_fills
from triggers.core.memo import remember_bounded
from triggers.core.plan import Plan, Rule
from triggers.core.state.cohorts import members_of_cohort
from triggers.core.state.group_parts import join_parts, private_part, shared_part
from triggers.core.state.held_fires import HeldFire, held_fires
from triggers.core.state.latest import held_fire, restamped
from triggers.core.state.loaded_instance import LoadedInstance
from triggers.core.state.number_ranges import numbers_in
from triggers.core.state.rows import TIMER_ROW, timer_key
from triggers.core.state.session import Session
from triggers.core.state.waiting import Group, Waiting
from triggers.core.task_offer import latest_of
from triggers.core.timer_kinds import TimerKind
from triggers.core.timer_rows import stop_timers
from triggers.errors import InvalidConfiguration

_MAX_KNOWN: Final = 1000
_KNOWN: Final[dict[tuple[str, tuple[str, ...], str | None, tuple[str, ...]], Edition2Rule]] = {}
"""Rules of edition 1 as edition 2 compiles them. Sessions share them; they change no result."""


def switch_rules(session: Session, before: Plan, now: int) -> None:
    """Moves waiting instances and memories from the plan `before` to the session's. Rules of edition 1 need none of it.

    What instances hold is kept without being evaluated. Only new leaves evaluate what the session remembers.
    """
    after = session.plan.edition_2
    if after is None:
        return
    if before.edition_2 is None:
        _begin(session, now)
        _take_over_timers(session)
    for name, rule in after.tasks.items():
        written = before.tasks.get(name)
        old = None if written is None else written.edition_2
        if written is not None and before.edition_2 is None:
            old = _in_edition_2(written, rule)
            _wait_in_groups(session, old, rule)
        elif old is not None and old is not rule:
            _carry_groups(session, old, rule)
        _carry_memory(session, old, rule)
        _record_in_flight(session, old, rule)


def _in_edition_2(rule: Rule, new: Edition2Rule) -> Edition2Rule:
    """Returns a rule of edition 1 as edition 2 compiles it, so that what it holds is kept as in any other update.

    Returns the new rule if edition 2 would have refused the old one.
    """
    key = rule.name, rule.after, rule.and_every, rule.unless
    known = _KNOWN.get(key)
    if known is None:
        written: dict[str, object] = {"run": rule.run, "after": list(rule.after), "unless": list(rule.unless)}
        if rule.and_every is not None:
            written["andEvery"] = rule.and_every
        try:
            known = remember_bounded(_KNOWN, _MAX_KNOWN, key, parse_task(rule.name, written))
        except InvalidConfiguration:
            return new
    return known


def _begin(session: Session, now: int) -> None:
    """Begins edition 2, whose fires are numbered beyond those of edition 1.

    A trigger that an earlier checkout fired counts as fired by the latest event before all others, because no more is
    known of it.
    """
    header = session.header.ensure_edition_2_part()
    header.fires = max(header.fires, session.position)
    clock = session.header.clock or now
    for trigger, record in session.latest.all().items():
        if not held_fire(record)[0]:
            session.latest.hot[trigger] = restamped(record, (clock, 0, 0))


def _take_over_timers(session: Session) -> None:
    """Gives the timers of cooldowns and timeouts their kinds of edition 2.

    There, an attempt has its number when its cooldown is over; in edition 1, it has it before.
    """
    for task, state in session.tasks.all().items():
        for number in range(state.count if state.unresolved else 0):
            loaded = session.instances.get(task, number)
            instance = loaded.instance
            if due := instance.due or instance.deadline:
                session.instances.mark_changed(loaded)
                kind = TimerKind.COOLDOWN if instance.due else instance.status
                stop_timers(session, loaded)
                if kind == TimerKind.COOLDOWN:
                    instance.attempt -= 1
                    instance.attempt_closed = True
                instance.timers = {kind: due}
                key = timer_key(due, session.uid, loaded.name, instance.attempt, kind)
                session.write_shared(key, TIMER_ROW)


def _wait_in_groups(session: Session, old: Edition2Rule, rule: Edition2Rule) -> None:
    """Moves instances that wait in cohorts into groups. `old` is their rule of edition 1."""
    state = session.tasks.get(rule.name)
    if state is None or not state.cohorts:
        return
    waiting = session.waiting.change(rule.name)
    cohorts, state.cohorts = state.cohorts, []
    for cohort in cohorts:
        for number in members_of_cohort(cohort):
            loaded = session.instances.get_to_change(rule.name, number)
            instance = loaded.instance
            fired = held_fires(instance, cohort)
            take_over_fills(instance, cohort)
            given = {
                trigger: _contribution(session, trigger, session.payloads.read(held), fired.get("+" + trigger))
                for trigger, held in instance.kwargs.items()
            }
            seen = [
                _contribution(session, trigger, b"{}", fired.get("-" + trigger)) for trigger in instance.unless_seen
            ]
            held = _held(old.conditions, given, dict(zip(instance.unless_seen, seen, strict=True)))
            held.begun = begun_by_loose(held, {slot for slot, (_, order) in fired.items() if order < 0})
            carry_over(held, old.conditions, rule.conditions)
            session.payloads.release_latest(rule.name, number, instance.kwargs)
            instance.kwargs = {}
            _join(rule, waiting, loaded, Group(held, [number], depth=instance.cascade_depth))


def _contribution(session: Session, trigger: str, kwargs: bytes, fire: HeldFire | None) -> Contribution:
    """Returns what an instance of edition 1 holds of a trigger.

    It does not know the fire if an earlier release gave it the kwargs, or if it was set back to unstarted. Then it
    counts as the trigger's last one.
    """
    if not (fire and fire[0]) and (record := session.latest.get(trigger)) is not None:
        fire = held_fire(record)
    clock, order = fire or (0, 0)
    return Contribution(kwargs, clock or session.header.clock, abs(order))


def _held(conditions: Conditions, after: dict[str, Contribution], unless: dict[str, Contribution]) -> Held:
    """Returns what an instance of edition 1 holds, under its own rule. `after` and `unless` are its triggers."""
    held = Held(loose={f"+{trigger}": contribution for trigger, contribution in after.items()})
    held.loose |= {f"-{trigger}": contribution for trigger, contribution in unless.items()}
    for leaf in conditions.leaves:
        if own := held.loose.pop(leaf.slot if leaf.slot[0] == "+" else f"-{leaf.trigger}", None):
            held.slots[leaf.slot] = [own]
    return held


def _carry_groups(session: Session, old: Edition2Rule, new: Edition2Rule) -> None:
    before = session.waiting.get(old.name)
    if not before.groups:
        return
    waiting = Waiting(in_flight=before.in_flight)
    for group in before.groups:
        if old.blind and new.blind and _keeps_slots(old, new):
            carry_over(group.held, old.conditions, new.conditions)
            waiting.groups.append(group)
        else:
            _carry_members(session, waiting, group, (old, new))
    session.waiting.set(old.name, waiting)


def _keeps_slots(old: Edition2Rule, new: Edition2Rule) -> bool:
    """Returns whether the contributions that members hold individually may stay in their rows."""
    return all(slot == kept for slot, kept in match_slots(old.conditions, new.conditions).items())


def _carry_members(session: Session, waiting: Waiting, group: Group, rules: tuple[Edition2Rule, Edition2Rule]) -> None:
    """Carries each member over by itself, because clocks or contents matter to one of the rules."""
    old, new = rules
    for number in numbers_in(group.members):
        loaded = session.instances.get_to_change(old.name, number)
        held = join_parts(group.held, loaded.instance.held)
        held = Held(dict(held.slots), list(held.true), dict(held.loose), held.begun)
        carry_over(held, old.conditions, new.conditions)
        _join(new, waiting, loaded, Group(held, [number], group.delayed, group.depth))


def _join(rule: Edition2Rule, waiting: Waiting, loaded: LoadedInstance, alone: Group) -> None:
    """Adds an instance to a group. `alone` is a group that has only this instance."""
    held, blind = alone.held, rule.blind
    loaded.instance.held = private_part(held) if blind else None
    waiting.add_member(loaded.number, shared_part(held) if blind else held, delayed=alone.delayed, depth=alone.depth)


def _carry_memory(session: Session, old: Edition2Rule | None, new: Edition2Rule) -> None:
    if old is new:
        return
    memory, added = session.memories.change(new.name), list(new.conditions.leaves)
    if old is None:
        memory.slots = {}
    else:
        for leaf in old.conditions.leaves:
            if leaf.is_latest and (latest := latest_of(session, leaf.trigger)):
                memory.slots[leaf.slot] = [latest]
        added = carry_memory_over(memory, old.conditions, new.conditions)
    evaluator = Evaluator(session.variables())
    begin_memory(memory, added, lambda trigger: _occurrence(session, trigger), evaluator)
    for leaf in new.conditions.leaves:
        if leaf.is_latest:
            memory.slots.pop(leaf.slot, None)


def _occurrence(session: Session, trigger: str) -> Occurrence | None:
    latest = latest_of(session, trigger)
    return None if latest is None else Occurrence(trigger, latest)


def _record_in_flight(session: Session, old: Edition2Rule | None, new: Edition2Rule) -> None:
    """Records the instances in flight if the rule gets a `cancelOn`, because it may cancel them, too."""
    if new.cancel_on is None or (old is not None and old.cancel_on is not None):
        return
    for number in range(session.task_state(new.name).count):
        update_in_flight(session, session.instances.get(new.name, number))
