"""Finds what each event did, by comparing what waited before and after it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from triggers.analysis.explain.edition_2_events import (
    effects_of_commands,
    effects_on_waiting,
    idle_rules,
    progress_of,
    stop_of,
)
from triggers.analysis.explain.event_words import tasks_of, trigger_of
from triggers.analysis.explain.explanation import Does, Effect, EventProof, Idle, Reason
from triggers.analysis.explain.idle_reasons import why_nothing, why_rule_stood_still, why_stale
from triggers.analysis.explain.trace import Trace
from triggers.core.commands import Outcome, SetTimer
from triggers.core.decision import Decision
from triggers.core.events import (
    ConfigurationUpdated,
    Event,
    MetadataUpdated,
    StatusSet,
)
from triggers.core.instance_names import parse_instance_name
from triggers.core.kwargs import split_members
from triggers.core.plan import Rule
from triggers.core.state.cohorts import find_cohort
from triggers.core.state.header_parts import Cohort
from triggers.core.state.number_ranges import closed_ranges, remove_number
from triggers.core.statuses import Status
from triggers.errors import CallError, NotFound

Ranges = list[tuple[int, int]]
"""The first and last number of each run of consecutive instances."""


class _Group(NamedTuple):
    """Instances of a task that waited for the same triggers before the event."""

    have: frozenset[str]
    seen: frozenset[str]
    ranges: Ranges


class _WaitedBefore(NamedTuple):
    """A rule that uses the trigger, and its instances that waited before the event."""

    rule: Rule
    groups: list[_Group]


def prove_event(trace: Trace, event: Event) -> EventProof:
    """Applies the event to the trace and returns what it did, or why it did nothing."""
    before = [_WaitedBefore(rule, _groups(trace, event, rule.name)) for rule in _users(trace, event)]
    stale = why_stale(trace, event)
    try:
        decision = trace.apply(event)
    except (CallError, NotFound) as error:
        refused = Idle(reason=Reason.REFUSED, detail=f"{type(error).__name__}: {error}")
        return EventProof(event=trace.refs[-1], outcome=None, fires=[], effects=[], idle=[refused])
    if trace.session.plan.edition_2 is not None:
        return _prove_in_edition_2(trace, event, decision, stale)
    before = before if decision.fires else []
    return EventProof(
        event=trace.refs[-1],
        outcome=decision.outcome,
        fires=[fire.trigger for fire in decision.fires],
        effects=[
            *_effects_on_waiting(trace, event, before),
            *_effects_on_statuses(trace, event, decision),
            *_effects_of_commands(trace, event, decision),
        ],
        idle=[*why_nothing(trace, event, decision.outcome, stale), *_idle_rules(trace, event, decision, before)],
    )


def _prove_in_edition_2(trace: Trace, event: Event, decision: Decision, stale: Idle | None) -> EventProof:
    """Returns what an event of edition 2 did."""
    nothing, leaves = why_nothing(trace, event, decision.outcome, stale), trace.holdings.verdicts
    rules = [
        idle if idle.reason in _OF_LEAVES else why_rule_stood_still(trace, rule, trigger, waiting=False)
        for rule, trigger, idle in idle_rules(trace, event, decision)
    ]
    return EventProof(
        event=trace.refs[-1],
        outcome=decision.outcome,
        fires=[fire.trigger for fire in decision.fires],
        effects=[
            *effects_on_waiting(trace, decision),
            *_effects_on_statuses(trace, event, decision),
            *effects_of_commands(trace, decision),
        ],
        idle=[*(idle for idle in nothing if idle.reason is not Reason.UNUSED or not leaves), *rules],
        leaves=leaves,
    )


_OF_LEAVES = frozenset({Reason.NOT_ACCEPTED, Reason.NOT_TAKEN})


def _users(trace: Trace, event: Event) -> Sequence[Rule]:
    trigger = trigger_of(event)
    return () if trigger is None else trace.session.plan.by_trigger.get(trigger, ())


def _groups(trace: Trace, event: Event, task: str) -> list[_Group]:
    """Returns what waits, without the instance that the event itself is about, which moves for another reason."""
    state, moved = trace.session.tasks.get(task), _number_of(event, task)
    cohorts = [] if state is None else state.cohorts
    groups = [_Group(frozenset(one.have), frozenset(one.seen), _ranges_of(one, moved)) for one in cohorts]
    return [group for group in groups if group.ranges]


def _ranges_of(cohort: Cohort, without: int) -> Ranges:
    edges = list(cohort.members)
    remove_number(edges, without)
    return closed_ranges(edges)


def _effects_on_waiting(trace: Trace, event: Event, before: Iterable[_WaitedBefore]) -> Iterator[Effect]:
    """Yields the instances that took the trigger, or counted it towards `unless`, and keep waiting."""
    trigger = trigger_of(event) or ""
    for rule, groups in before:
        for group in groups:
            now = _cohort_now(trace, rule.name, group)
            if now is not None and trigger in now.have and trigger not in group.have:
                yield Effect(does=Does.TOOK, task=rule.name, numbers=group.ranges, detail=_progress(rule, now))
            if now is not None and trigger in now.seen and trigger not in group.seen:
                yield Effect(does=Does.COUNTED, task=rule.name, numbers=group.ranges, detail=_unless(rule, now))


def _cohort_now(trace: Trace, task: str, group: _Group) -> Cohort | None:
    """Returns the cohort in which the group waits now, or None if it no longer waits. A group moves as a whole."""
    state = trace.session.tasks.get(task)
    return None if state is None else find_cohort(state, group.ranges[0][0])


def _number_of(event: Event, task: str) -> int:
    its_task, number = _instance_of(event)
    return number if its_task == task else -1


def _instance_of(event: Event) -> tuple[str, int]:
    name = getattr(event, "instance", None)
    return ("", -1) if name is None else parse_instance_name(name)


def _progress_of(trace: Trace, task: str, number: int) -> str:
    """Says what a new instance waits for; empty if it did not have to wait."""
    if trace.session.plan.edition_2 is not None:
        return progress_of(trace, task, number)
    state, rule = trace.session.tasks.get(task), trace.session.plan.tasks.get(task)
    cohort = None if state is None else find_cohort(state, number)
    return "" if rule is None or cohort is None else _progress(rule, cohort)


def _progress(rule: Rule, cohort: Cohort) -> str:
    missing = [trigger for trigger in rule.after if trigger not in cohort.have]
    return f"still missing: {', '.join(missing)}" if missing else ""


def _unless(rule: Rule, cohort: Cohort) -> str:
    missing = [trigger for trigger in rule.unless if trigger not in cohort.seen]
    return f"unless still missing: {', '.join(missing)}" if missing else ""


def _effects_on_statuses(trace: Trace, event: Event, decision: Decision) -> Iterator[Effect]:
    """Yields the new statuses in order, with consecutive instances of a task in one effect."""
    if decision.rules is not None:
        yield Effect(does=Does.BOUND, task="", detail=f"version {decision.rules.version} of {decision.rules.name!r}")
    last = len(trace.refs) - 1
    steps = [(*parse_instance_name(name), status, trace.began(name, last)) for name, status in decision.changed]
    for (task, status, is_new), group in groupby(steps, key=lambda step: (step[0], step[2], step[3])):
        does = Does.CREATED if is_new and status == Status.UNSTARTED else Does.BECAME
        numbers = ranges(step[1] for step in group)
        stop = stop_of(trace, task, numbers[0][0], status)
        detail = _progress_of(trace, task, numbers[0][0]) if does is Does.CREATED else stop
        yield Effect(does=does, task=task, numbers=numbers, status=status, detail=detail)
    if isinstance(event, MetadataUpdated):
        task, number = _instance_of(event)
        names = ", ".join(split_members(event.metadata))
        yield Effect(does=Does.METADATA, task=task, numbers=[(number, number)], detail=names)
    if isinstance(event, ConfigurationUpdated) and decision.outcome is Outcome.APPLIED:
        for name in tasks_of(event):
            yield Effect(does=Does.CONFIGURED, task=name)


def _effects_of_commands(trace: Trace, event: Event, decision: Decision) -> Iterator[Effect]:
    """Yields commands and timers, except the session's own timer, which belongs to no task."""
    for command in decision.commands:
        if not command.instance:
            continue
        task, number = parse_instance_name(command.instance)
        does, wait = Does.ISSUED, ""
        if isinstance(command, SetTimer):
            cools = trace.session.instances.find(command.instance).instance.due == command.due
            does, wait = Does.COOLS if cools else Does.WATCHED, _wait(command, event)
        yield Effect(does=does, task=task, numbers=[(number, number)], detail=f"attempt {command.attempt}{wait}")
    if decision.outcome is Outcome.DELETED:
        yield Effect(does=Does.DELETED, task="")


def _wait(timer: SetTimer, event: Event) -> str:
    return f", in {(timer.due - (event.recorded or event.time)) / 1000:g} s"


def _idle_rules(trace: Trace, event: Event, decision: Decision, before: Iterable[_WaitedBefore]) -> Iterator[Idle]:
    """Yields the rules that use the trigger although it changed none of their instances."""
    its_instance = None if _waits_again(event) else getattr(event, "instance", None)
    moved = {parse_instance_name(name)[0] for name, _ in decision.changed if name != its_instance}
    moved |= {effect.task for effect in _effects_on_waiting(trace, event, before)}
    for rule, groups in before:
        if rule.name not in moved:
            yield why_rule_stood_still(trace, rule, trigger_of(event) or "", waiting=bool(groups))


def _waits_again(event: Event) -> bool:
    """Returns whether the event makes its instance wait before its trigger fires, so that it may take the trigger."""
    return isinstance(event, StatusSet) and event.status == Status.UNSTARTED


def ranges(numbers: Iterable[int]) -> Ranges:
    """Groups ascending numbers into ranges without gaps."""
    rows: Ranges = []
    for number in numbers:
        if rows and rows[-1][1] == number - 1:
            rows[-1] = (rows[-1][0], number)
        else:
            rows.append((number, number))
    return rows
