"""Explains tasks of edition 1: which triggers each instance has, which it lacks, and what will become of it."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from triggers.analysis.explain.causes import Causes, Numbered
from triggers.analysis.explain.explanation import InstanceProof, Missing, Outlook
from triggers.analysis.explain.trace import Trace
from triggers.core.exception_view import view_exception
from triggers.core.instance_names import instance_name
from triggers.core.lifecycle import take_over_fills
from triggers.core.plan import Rule
from triggers.core.rules import can_abandon, can_run
from triggers.core.state.cohorts import find_cohort
from triggers.core.state.instance import Instance
from triggers.core.state.session import Session
from triggers.core.statuses import Status


class _State(NamedTuple):
    """The triggers that an instance has, and those that it counts towards `unless`."""

    have: Collection[str]
    seen: Collection[str]


class Edition1Prover:
    """Explains tasks of edition 1. It reads the session's instances once."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._instances = _instances(trace.session)
        rules = trace.session.plan.tasks
        self._causes = Causes(rules, self._instances, trace.fired_triggers)
        self._missing: dict[tuple[str, frozenset[str]], list[Missing]] = {}

    def prove(self, rule: Rule) -> list[InstanceProof]:
        """Explains the rule's instances, or its next one if it has none."""
        return [self._instance(rule, *one) for one in self._instances.get(rule.name, ())] or [self._next(rule)]

    def _instance(self, rule: Rule, number: int, instance: Instance) -> InstanceProof:
        name, trace = instance_name(rule.name, number), self._trace
        have, seen, last = instance.kwargs, instance.unless_seen, trace.refs[trace.history[name][-1][0]]
        return InstanceProof(
            name=name,
            status=instance.status,
            since=last.time,
            outlook=_outlook(rule, _State(have, seen)) if instance.status == Status.UNSTARTED else Outlook.STARTED,
            satisfied=[trace.giver(name, trigger) for trigger in rule.after if trigger in have],
            missing=self._missing_of(rule, have),
            unless_fired=[trace.witness(name, trigger) for trigger in rule.unless if trigger in seen],
            unless_missing=[trigger for trigger in rule.unless if trigger not in seen],
            attempt=instance.attempt,
            due=instance.due or None,
            last=last,
            exception=view_exception(instance.metadata),
        )

    def _next(self, rule: Rule) -> InstanceProof:
        """Explains the next instance of a task that has none; it will take every trigger that fired before."""
        fired = self._trace.fired_triggers
        return InstanceProof(
            name=None,
            status=None,
            since=0,
            outlook=_outlook(rule, _State(fired, fired)),
            satisfied=[self._trace.last_fire(trigger) for trigger in rule.after if trigger in fired],
            missing=self._missing_of(rule, fired),
            unless_fired=[self._trace.first_fire(trigger) for trigger in rule.unless if trigger in fired],
            unless_missing=[trigger for trigger in rule.unless if trigger not in fired],
            attempt=0,
            due=None,
            last=None,
        )

    def _missing_of(self, rule: Rule, have: Collection[str]) -> list[Missing]:
        missing = frozenset(trigger for trigger in rule.after if trigger not in have)
        if (proofs := self._missing.get((rule.name, missing))) is None:
            proofs = [Missing(trigger=name, causes=self._causes.find(name, rule.name)) for name in sorted(missing)]
            self._missing[rule.name, missing] = proofs
        return proofs


def _instances(session: Session) -> dict[str, list[Numbered]]:
    """Returns the instances of every task in creation order, with what their cohorts hold for them."""
    states, instances = session.tasks.all(), dict[str, list[Numbered]]()
    for loaded in sorted(session.instances.scan(), key=lambda loaded: loaded.instance.sequence):
        if loaded.instance.status == Status.UNSTARTED and (cohort := find_cohort(states[loaded.task], loaded.number)):
            take_over_fills(loaded.instance, cohort)
        instances.setdefault(loaded.task, []).append((loaded.number, loaded.instance))
    return instances


def _outlook(rule: Rule, state: _State) -> Outlook:
    if not rule.after:
        return Outlook.NEVER
    if can_abandon(rule, state.seen):
        return Outlook.ABANDONED_AT_NEXT
    if can_run(rule, state.have):
        return Outlook.RUNS_AT_NEXT
    missing = rule.after_set - set(state.have)
    return Outlook.ABANDONED if can_abandon(rule, missing | set(state.seen)) else Outlook.RUNS
