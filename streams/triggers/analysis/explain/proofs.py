"""Explains a session: what each event did, and why each task and instance is in its state."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from triggers.analysis.editions import require_edition_1
from triggers.analysis.explain.event_proofs import prove_event
from triggers.analysis.explain.explanation import (
    Cause,
    EventProof,
    Explanation,
    InstanceProof,
    Missing,
    TaskProof,
    Verdict,
)
from triggers.analysis.explain.trace import Trace
from triggers.core.events import Event
from triggers.core.instance_names import instance_name
from triggers.core.lifecycle import take_over_fills
from triggers.core.plan import Rule
from triggers.core.rules import can_abandon, can_run
from triggers.core.state.cohorts import find_cohort
from triggers.core.state.instance import Instance
from triggers.core.state.session import Session
from triggers.core.statuses import RESOLVED, Status
from triggers.errors import TaskNotFound


def explain(uid: str, events: Iterable[Event], task: str | None = None) -> Explanation:
    """Explains a session, or one task of it. `events` are all its events, in order. Raises TaskNotFound."""
    trace = Trace(uid)
    proofs = list(_proofs(trace, events))
    if task is not None and task not in trace.session.plan.tasks:
        names = ", ".join(trace.session.plan.tasks) or "none"
        raise TaskNotFound(f"session {uid!r} has no task {task!r}; it has {names}")
    chosen = proofs if task is None else list(_about(task, proofs))
    return Explanation(session=uid, events=chosen, tasks=list(prove_tasks(trace, task)))


def _proofs(trace: Trace, events: Iterable[Event]) -> Iterator[EventProof]:
    for event in events:
        yield prove_event(trace, event)
        require_edition_1(trace.session.plan, "explain")


def _about(task: str, proofs: Iterable[EventProof]) -> Iterator[EventProof]:
    """Yields the events that did something to the task, or could have."""
    for proof in proofs:
        effects = [effect for effect in proof.effects if effect.task == task]
        idle = [idle for idle in proof.idle if idle.task == task]
        if effects or idle:
            yield EventProof(event=proof.event, outcome=proof.outcome, fires=proof.fires, effects=effects, idle=idle)


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
        self._causes = Causes(rules, self._instances, trace.fired_triggers)
        self._missing: dict[tuple[str, frozenset[str]], list[Missing]] = {}

    def task(self, rule: Rule) -> TaskProof:
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

    def _instance(self, rule: Rule, number: int, instance: Instance) -> InstanceProof:
        name, trace = instance_name(rule.name, number), self._trace
        have, seen, last = instance.kwargs, instance.unless_seen, trace.refs[trace.history[name][-1][0]]
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

    def _next(self, rule: Rule) -> InstanceProof:
        """Explains the next instance of a task that has none; it will take everything that fired before."""
        fired = self._trace.fired_triggers
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


def _verdict(rule: Rule, state: _State) -> Verdict:
    if not rule.after:
        return Verdict.NEVER
    if can_abandon(rule, state.seen):
        return Verdict.ABANDONED_AT_NEXT
    if can_run(rule, state.have):
        return Verdict.RUNS_AT_NEXT
    missing = rule.after_set - set(state.have)
    return Verdict.ABANDONED if can_abandon(rule, missing | set(state.seen)) else Verdict.RUNS


Numbered = tuple[int, Instance]


_UNDER_WAY = frozenset({Status.SCHEDULED, Status.RUNNING})


_WHY = {
    Status.SCHEDULED: "is scheduled and has not finished",
    Status.RUNNING: "is running and has not finished",
    Status.FAILED: "failed; replay it, or skip it with a result",
    Status.ABANDONED: "is abandoned, so it will not finish",
    Status.SKIPPED: "was skipped without firing",
    Status.REPLAYED: "was replayed",
    Status.FINISHED: "has already finished, and this instance did not receive its trigger",
}


class Causes:
    """The causes of missing triggers in one session, in its present state."""

    def __init__(
        self, rules: Mapping[str, Rule], instances: Mapping[str, Sequence[Numbered]], fired: Collection[str]
    ) -> None:
        """`instances` are those of each task, in creation order, with kwargs. `fired` are the triggers that fired."""
        self._rules = rules
        self._instances = instances
        self._fired = fired

    def find(self, trigger: str, task: str) -> list[Cause]:
        """Returns what has to happen before the trigger fires for the task, each cause once."""
        return list(dict.fromkeys(self._find(trigger, (task,))))

    def _find(self, trigger: str, chain: tuple[str, ...]) -> Iterator[Cause]:
        rule = self._rules.get(trigger)
        if rule is None:
            yield Cause(kind="fire", name=trigger, why="an application has to fire it")
        elif trigger in chain:
            yield Cause(kind="cycle", name=trigger, why=f"{' → '.join((*chain, trigger))}: they wait for each other")
        else:
            yield from self._find_for_task(rule, (*chain, trigger))

    def _find_for_task(self, rule: Rule, chain: tuple[str, ...]) -> Iterator[Cause]:
        number, instance = self._nearest(rule.name)
        if instance is not None and instance.status != Status.UNSTARTED:
            why = _WHY.get(Status(instance.status)) if instance.status in _WHY else f"is {instance.status}"
            yield Cause(kind="instance", name=instance_name(rule.name, number), why=why or "")
            return
        have = {trigger for trigger in rule.after if trigger in self._fired} if instance is None else instance.kwargs
        for trigger in rule.after:
            if trigger not in have:
                yield from self._find(trigger, chain)

    def _nearest(self, task: str) -> tuple[int, Instance | None]:
        """Returns the instance that is nearest to its end: one under way, else failed, else waiting, else resolved."""
        instances = self._instances.get(task, ())
        return min(instances, key=lambda one: _distance(one[1]), default=(0, None))


def _distance(instance: Instance) -> int:
    if instance.status in _UNDER_WAY:
        return 0
    if instance.status == Status.UNSTARTED:
        return 2
    return 3 if instance.status in RESOLVED else 1
