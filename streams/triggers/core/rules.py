"""What a trigger does to a session: which instances it fills, creates, abandons and makes ready."""

from __future__ import annotations

from triggers.core.commands import Fire
from triggers.core.config import TaskConfig
from triggers.core.header import Cohort, TaskState
from triggers.core.instance import Instance, instance_name
from triggers.core.lifecycle import create, move, schedule, settle
from triggers.core.session import Session
from triggers.core.statuses import Status
from triggers.core.step import Step


def fire(step: Step, trigger: str, payload: int, *, held: bool = False) -> None:
    """Fire a trigger, `payload` being its kwargs, and schedule what became ready.

    Tasks in declaration order, instances in creation order. `held`: an instance has the payload already, as its result.
    """
    ready: list[tuple[str, int]] = []
    for task in step.session.plan.by_trigger.get(trigger, ()):
        held |= _offer(step, task, trigger, payload)
        ready += [(task.name, number) for number in _settle_task(step, task)]
    step.session.set_latest(trigger, payload, held=held)
    for name, number in ready:
        schedule(step, name, number)
    step.decision.fires.append(Fire(trigger, tuple([instance_name(*of) for of in ready])))


def can_run(task: TaskConfig, have: frozenset[str]) -> bool:
    """All of `after` is there. A task that waits for nothing never runs by itself."""
    return bool(task.after_set) and task.after_set <= have


def can_abandon(task: TaskConfig, seen: frozenset[str]) -> bool:
    """All of `unless` has fired."""
    return bool(task.unless_set) and task.unless_set <= seen


def _offer(step: Step, task: TaskConfig, trigger: str, payload: int) -> bool:
    """Give the trigger to the task's waiting instances, or to a new one. True: an instance holds the payload now."""
    state = step.session.task_state(task.name)
    create_one = state.count == 0 or trigger == task.and_every
    held = False
    for cohort in state.cohorts:
        took, filled = _give(cohort, task, trigger, payload)
        held |= filled
        create_one = create_one and not took
    if create_one:
        _create_with(step, task, trigger, payload)
        held |= trigger in task.after_set
    return held


def _give(cohort: Cohort, task: TaskConfig, trigger: str, payload: int) -> tuple[bool, bool]:
    """(the cohort took the trigger, it took its kwargs); the first kwargs stay."""
    fills = trigger in task.after_set and trigger not in cohort.have
    if fills:
        cohort.fills[trigger] = payload
        cohort.have = sorted((*cohort.have, trigger))
    sees = trigger in task.unless_set and trigger not in cohort.seen
    if sees:
        cohort.seen = sorted((*cohort.seen, trigger))
    return fills or sees, fills


def _create_with(step: Step, task: TaskConfig, trigger: str, payload: int) -> None:
    """A new instance takes the latest kwargs of everything that fired before, and the trigger's own."""
    session, fired = step.session, step.session.header.latest
    kwargs = {name: session.take_latest(name) for name in task.after if name != trigger and name in fired}
    if trigger in task.after_set:
        kwargs[trigger] = payload
    seen = [name for name in task.unless if name == trigger or name in fired]
    instance = Instance(sequence=session.header.instances, created=step.time, kwargs=kwargs, seen=seen)
    create(step, task.name, instance)


def _settle_task(step: Step, task: TaskConfig) -> list[int]:
    """Abandon what must be abandoned; numbers of what is ready, in creation order.

    Looks at all cohorts: a changed configuration may have made ones ready that this trigger did not touch.
    """
    state = step.session.task_state(task.name)
    ready: list[int] = []
    for cohort in list(state.cohorts):
        if can_abandon(task, frozenset(cohort.seen)):
            _abandon(step, task.name, _dissolve(step.session, task.name, state, cohort))
        elif can_run(task, frozenset(cohort.have)):
            ready += _dissolve(step.session, task.name, state, cohort)
    return sorted(ready)


def _dissolve(session: Session, task: str, state: TaskState, cohort: Cohort) -> list[int]:
    """Write into the members' rows what the cohort held for them."""
    state.cohorts.remove(cohort)
    members = list(cohort)
    for number in members:
        settle(session.change(task, number), cohort)
    return members


def _abandon(step: Step, task: str, numbers: list[int]) -> None:
    for number in numbers:
        move(step, task, number, Status.ABANDONED)
