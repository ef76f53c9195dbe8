"""Explains a session: what each event did, and why each task and instance is in its state."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from triggers.analysis.explain.edition_1_proofs import Edition1Prover
from triggers.analysis.explain.edition_2_proofs import Edition2Prover
from triggers.analysis.explain.edition_2_words import sentence_of
from triggers.analysis.explain.event_proofs import prove_event
from triggers.analysis.explain.explanation import EventProof, Explanation, InstanceProof, TaskProof
from triggers.analysis.explain.trace import Trace
from triggers.core.events import Event
from triggers.core.plan import Rule
from triggers.core.view import view_session
from triggers.errors import TaskNotFound


def explain(uid: str, events: Iterable[Event], task: str | None = None) -> Explanation:
    """Explains a session, or one task of it. `events` are all its events, in order. Raises TaskNotFound."""
    trace = Trace(uid)
    proofs = list(_proofs(trace, events))
    if task is not None and task not in trace.session.plan.tasks:
        names = ", ".join(trace.session.plan.tasks) or "none"
        raise TaskNotFound(f"session {uid!r} has no task {task!r}; it has {names}")
    chosen = proofs if task is None else list(_about(task, proofs))
    rules = None if trace.session.plan.edition_2 is None else view_session(trace.session).rules
    return Explanation(session=uid, events=chosen, tasks=list(prove_tasks(trace, task)), rules=rules)


def _proofs(trace: Trace, events: Iterable[Event]) -> Iterator[EventProof]:
    for event in events:
        yield prove_event(trace, event)


def _about(task: str, proofs: Iterable[EventProof]) -> Iterator[EventProof]:
    """Yields the events that did something to the task, or could have."""
    for proof in proofs:
        effects = [effect for effect in proof.effects if effect.task == task]
        idle = [idle for idle in proof.idle if idle.task == task]
        leaves = [verdict for verdict in proof.leaves if verdict.task == task]
        if effects or idle or leaves:
            yield replace(proof, effects=effects, idle=idle, leaves=leaves)


def prove_tasks(trace: Trace, only: str | None = None) -> Iterator[TaskProof]:
    """Yields every task in declaration order, or only one, in its state after the last event."""
    plan = trace.session.plan.edition_2
    prover = Edition1Prover(trace) if plan is None else Edition2Prover(trace, plan)
    for rule in trace.session.plan.tasks.values():
        if only in (None, rule.name):
            yield _task_proof(rule, prover.prove(rule))


def _task_proof(rule: Rule, instances: list[InstanceProof]) -> TaskProof:
    return TaskProof(
        name=rule.name,
        after=list(rule.after),
        and_every=rule.and_every,
        unless=list(rule.unless),
        run=rule.run,
        instances=instances,
        sentence="" if rule.edition_2 is None else sentence_of(rule.edition_2),
    )
