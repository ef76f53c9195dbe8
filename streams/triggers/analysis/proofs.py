"""Finds why each task and instance is in its state: what is satisfied, what is missing, and what that waits for."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

from triggers.analysis.causes import Causes, Numbered
from triggers.analysis.explanation import InstanceProof, Missing, TaskProof, Verdict
from triggers.analysis.trace import Trace
from triggers.core.cohorts import cohort_with
from triggers.core.instance import Instance
from triggers.core.instance_names import instance_name
from triggers.core.lifecycle import settle
from triggers.core.plan import TaskConfig
from triggers.core.rules import can_abandon, can_run
from triggers.core.session import Session
from triggers.core.statuses import Status


class _State(NamedTuple):
    """The triggers that an instance has, and those that it counts towards `unless`."""

    have: Collection[str]
    seen: Collection[str]


def prove_tasks(trace: Trace, only: str | None = None) -> Iterator[TaskProof]:
    """Yields every task in declaration order, or only one, in its state after the last event."""
    prover = _Prover(trace)
    for rule in trace.session.plan.tasks.values():
        if only in (None, rule.name):
            yield prover.task(rule)


class _Prover:
    """Explains tasks. It reads the session's instances once."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._instances = _instances(trace.session)
        rules = trace.session.plan.tasks
        self._causes = Causes(rules, self._instances, trace.fired)
        self._missing: dict[tuple[str, frozenset[str]], list[Missing]] = {}

    def task(self, rule: TaskConfig) -> TaskProof:
        """Explains the rule's instances, or its next one if it has none."""
        proofs = [self._instance(rule, *one) for one in self._instances.get(rule.name, ())]
        return TaskProof(
            name=rule.name,
            after=list(rule.after),
            and_every=rule.and_every,
            unless=list(rule.unless),
            run=rule.run,
            instances=proofs or [self._next(rule)],
        )

    def _instance(self, rule: TaskConfig, number: int, instance: Instance) -> InstanceProof:
        name, trace = instance_name(rule.name, number), self._trace
        have, seen, last = instance.kwargs, instance.seen, trace.refs[trace.history[name][-1][0]]
        return InstanceProof(
            name=name,
            status=instance.status,
            since=last.time,
            verdict=_verdict(rule, _State(have, seen)) if instance.status == Status.UNSTARTED else Verdict.STARTED,
            satisfied=[trace.giver(name, trigger) for trigger in rule.after if trigger in have],
            missing=self._missing_of(rule, have),
            unless_fired=[trace.witness(name, trigger) for trigger in rule.unless if trigger in seen],
            unless_missing=[trigger for trigger in rule.unless if trigger not in seen],
            attempt=instance.attempt,
            due=instance.due or None,
            last=last,
        )

    def _next(self, rule: TaskConfig) -> InstanceProof:
        """Explains the next instance of a task that has none; it will take everything that fired before."""
        fired = self._trace.fired
        return InstanceProof(
            name=None,
            status=None,
            since=0,
            verdict=_verdict(rule, _State(fired, fired)),
            satisfied=[self._trace.last_fire(trigger) for trigger in rule.after if trigger in fired],
            missing=self._missing_of(rule, fired),
            unless_fired=[self._trace.first_fire(trigger) for trigger in rule.unless if trigger in fired],
            unless_missing=[trigger for trigger in rule.unless if trigger not in fired],
            attempt=0,
            due=None,
            last=None,
        )

    def _missing_of(self, rule: TaskConfig, have: Collection[str]) -> list[Missing]:
        missing = frozenset(trigger for trigger in rule.after if trigger not in have)
        if (proofs := self._missing.get((rule.name, missing))) is None:
            proofs = [Missing(trigger=name, causes=self._causes.of(name, rule.name)) for name in sorted(missing)]
            self._missing[rule.name, missing] = proofs
        return proofs


def _instances(session: Session) -> dict[str, list[Numbered]]:
    """Returns the instances of every task in creation order, with what their cohorts hold for them."""
    states, instances = session.tasks.all(), dict[str, list[Numbered]]()
    for task, number, instance in sorted(session.instances(), key=lambda one: one[2].sequence):
        if instance.status == Status.UNSTARTED and (cohort := cohort_with(states[task], number)):
            settle(instance, cohort)
        instances.setdefault(task, []).append((number, instance))
    return instances


def _verdict(rule: TaskConfig, state: _State) -> Verdict:
    if not rule.after:
        return Verdict.NEVER
    if can_abandon(rule, state.seen):
        return Verdict.ABANDONED_AT_NEXT
    if can_run(rule, state.have):
        return Verdict.RUNS_AT_NEXT
    missing = rule.after_set - set(state.have)
    return Verdict.ABANDONED if can_abandon(rule, missing | set(state.seen)) else Verdict.RUNS
