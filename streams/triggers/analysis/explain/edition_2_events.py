"""The effects of an event in a session of edition 2: on instances, on timers, and on the rules."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from triggers.analysis.explain.condition_proofs import ConditionProver, missing_leaves
from triggers.analysis.explain.explanation import Does, Effect, Idle, LeafReaction, LeafVerdict, Reason
from triggers.analysis.explain.holdings import held_by_member, view_of
from triggers.analysis.explain.trace import Trace
from triggers.core.commands import Outcome, SetTimer
from triggers.core.conditions.condition_view import ConditionView
from triggers.core.decision import Decision
from triggers.core.events import Event, StatusSet, TimerFired
from triggers.core.instance_names import instance_name, parse_instance_name
from triggers.core.plan import Rule
from triggers.core.state.loaded_instance import LoadedInstance
from triggers.core.state.number_ranges import closed_ranges, remove_number
from triggers.core.statuses import CANCELLED, EXPIRED, Status

NOT_DUE: Final = "it is not due yet"

_STOPPED = frozenset({CANCELLED, EXPIRED})
_ACCEPTING = frozenset({LeafReaction.ACCEPTED, LeafReaction.CANDIDATE})


def effects_on_waiting(trace: Trace, decision: Decision) -> Iterator[Effect]:
    """Yields the instances that took a trigger, or counted it towards `unless`, and keep their status."""
    for verdict in trace.holdings.verdicts:
        edges = [edge for first, last in verdict.numbers for edge in (first, last + 1)]
        for name, _ in decision.changed:
            task, number = parse_instance_name(name)
            if task == verdict.task:
                remove_number(edges, number)
        if edges:
            numbers = closed_ranges(edges)
            does = Does.COUNTED if verdict.directive == "unless" else Does.TOOK
            detail = "" if does is Does.COUNTED else progress_of(trace, verdict.task, numbers[0][0])
            yield Effect(does=does, task=verdict.task, numbers=numbers, detail=detail)


def progress_of(trace: Trace, task: str, number: int) -> str:
    """Says what a waiting instance lacks; empty if it does not wait, or lacks nothing."""
    rule, group = trace.session.plan.tasks.get(task), trace.session.waiting.get(task).group_of(number)
    if rule is None or rule.edition_2 is None or group is None or group.delayed:
        return ""
    view = view_of(trace.session, rule, held_by_member(trace.session, task, group, number))
    proof = ConditionProver(view, lambda _: None, lambda _: []).prove(rule.edition_2.conditions.root)
    names = dict.fromkeys(_progress(leaf.trigger, leaf.have, leaf.need) for leaf in missing_leaves(proof))
    return f"still missing: {', '.join(names)}" if names else ""


def _progress(trigger: str, have: int, need: int | None) -> str:
    return trigger if need == 1 else f"{trigger} ({have} of {'?' if need is None else need})"


def stop_of(trace: Trace, task: str, number: int, status: str) -> str:
    """Says why an instance was stopped or failed; empty if that is not known, or there is nothing to say."""
    stop = trace.holdings.stops.get(instance_name(task, number))
    return "" if stop is None or stop.status != status else stop.why


def effects_of_commands(trace: Trace, decision: Decision) -> Iterator[Effect]:
    """Yields the commands, timers, withdrawn commands and `$forward`s of an event, except the session's own timer."""
    for cancel in decision.cancels:
        running = ", which is ended if it runs" if cancel.terminate else ""
        yield _effect(Does.WITHDREW, cancel.instance, f"attempt {cancel.attempt}{running}")
    for command in decision.commands:
        if isinstance(command, SetTimer):
            wait = (command.due - trace.session.header.clock) / 1000
            if command.instance:
                yield _effect(Does.TIMER, command.instance, f"{command.kind}, in {wait:g} s")
        else:
            yield _effect(Does.ISSUED, command.instance, f"attempt {command.attempt}")
    for forward in decision.forwards:
        yield Effect(does=Does.FORWARDED, task="", detail=f"{forward.trigger} in session {forward.session}")
    if decision.outcome is Outcome.DELETED:
        yield Effect(does=Does.DELETED, task="")


def _effect(does: Does, instance: str, detail: str) -> Effect:
    task, number = parse_instance_name(instance)
    return Effect(does=does, task=task, numbers=[(number, number)], detail=detail)


def idle_rules(trace: Trace, event: Event, decision: Decision) -> Iterator[tuple[Rule, str, Idle]]:
    """Yields the rules that have a leaf for a trigger that fired, although it changed none of their instances.

    The idle has the reason `STARTED` if none of them waits, so that their statuses are the reason.
    """
    its_instance = None if isinstance(event, StatusSet) else getattr(event, "instance", None)
    moved = {parse_instance_name(name)[0] for name, _ in decision.changed if name != its_instance}
    moved |= {verdict.task for verdict in trace.holdings.verdicts if verdict.numbers}
    moved |= {parse_instance_name(cancel.instance)[0] for cancel in decision.cancels}
    by_task: dict[str, list[LeafVerdict]] = {}
    for verdict in trace.holdings.verdicts:
        by_task.setdefault(verdict.task, []).append(verdict)
    for task, verdicts in by_task.items():
        if task not in moved:
            yield trace.session.plan.tasks[task], verdicts[0].trigger, _why_idle(trace, task, verdicts)


def _why_idle(trace: Trace, task: str, verdicts: list[LeafVerdict]) -> Idle:
    accepting = [verdict for verdict in verdicts if verdict.verdict in _ACCEPTING]
    if not accepting:
        return Idle(reason=Reason.NOT_ACCEPTED, task=task)
    if all(verdict.directive == "cancelOn" for verdict in accepting):
        return Idle(reason=Reason.NOT_TAKEN, task=task, detail="there is nothing that it could cancel")
    groups = trace.session.waiting.get(task).groups
    if not groups:
        statuses = {status: number for status, number in sorted(trace.statuses[task].items()) if number}
        if _STOPPED.intersection(statuses) and statuses.keys() <= {*_STOPPED, Status.ABANDONED}:
            stopped = ", ".join(f"{number} {status}" for status, number in statuses.items())
            return Idle(reason=Reason.NOT_TAKEN, task=task, detail=f"none waits any more: {stopped}", statuses=statuses)
        empty = trace.session.task_state(task).count == 0
        reason = Reason.NOT_TAKEN if empty else Reason.STARTED
        return Idle(reason=reason, task=task, detail="a leaf that reads 'on' begins no instance" if empty else "")
    rule = trace.session.plan.tasks[task]
    view = view_of(trace.session, rule, groups[0].held)
    closed = [one.alias for one in accepting if one.directive != "cancelOn" and _is_closed(view, one)]
    full = f"they hold what they need of {', '.join(closed)}" if closed else "it is not its turn, or not true of them"
    return Idle(reason=Reason.NOT_TAKEN, task=task, detail=full)


def _is_closed(view: ConditionView, verdict: LeafVerdict) -> bool:
    leaves = [leaf for leaf in view.conditions.leaves if (leaf.trigger, leaf.alias) == (verdict.trigger, verdict.alias)]
    return any(view.is_closed(leaf) for leaf in leaves)


def stale_timer(event: TimerFired, loaded: LoadedInstance) -> Idle:
    """Returns why a timer of edition 2 is stale, if it is. Call it before the event is applied."""
    stands = (loaded.instance.timers or {}).get(event.kind)
    if stands is None:
        detail = f"it has no {event.kind} timer; it is {loaded.instance.status}"
    elif stands != event.due:
        detail = f"its {event.kind} timer was moved"
    else:
        detail = NOT_DUE
    return Idle(reason=Reason.NO_TIMER, task=loaded.task, detail=detail)
