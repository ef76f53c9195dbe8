"""Explains a session: what each event did, and why each task and instance is in its state."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from triggers.analysis.event_proofs import prove_event
from triggers.analysis.explanation import EventProof, Explanation
from triggers.analysis.proofs import prove_tasks
from triggers.analysis.trace import Trace
from triggers.core.events import Event
from triggers.errors import TaskNotFound


def explain(uid: str, events: Iterable[Event], task: str | None = None) -> Explanation:
    """Explains a session, or one task of it. `events` are all its events, in order. Raises TaskNotFound."""
    trace = Trace(uid)
    proofs = [prove_event(trace, event) for event in events]
    if task is not None and task not in trace.session.plan.tasks:
        names = ", ".join(trace.session.plan.tasks) or "none"
        raise TaskNotFound(f"session {uid!r} has no task {task!r}; it has {names}")
    chosen = proofs if task is None else list(_about(task, proofs))
    return Explanation(session=uid, events=chosen, tasks=list(prove_tasks(trace, task)))


def _about(task: str, proofs: Iterable[EventProof]) -> Iterator[EventProof]:
    """Yields the events that did something to the task, or could have."""
    for proof in proofs:
        effects = [effect for effect in proof.effects if effect.task == task]
        idle = [idle for idle in proof.idle if idle.task == task]
        if effects or idle:
            yield EventProof(event=proof.event, outcome=proof.outcome, fires=proof.fires, effects=effects, idle=idle)
