"""What a trigger does to a session: which instances it fills, creates, abandons and makes ready."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from operator import itemgetter
from typing import Final

from triggers.core.cohorts import numbers_of, only_number
from triggers.core.commands import Fire, Outcome
from triggers.core.fired import Fired
from triggers.core.header import Cohort, TaskState
from triggers.core.instance import Instance, Payload
from triggers.core.instance_names import instance_name
from triggers.core.lifecycle import join_cohort, move, settle, start
from triggers.core.plan import TaskConfig
from triggers.core.statuses import UNSTARTED, Status
from triggers.core.step import Step

_STOPPED: Final = Outcome.STOPPED  # looked up once: a member of an enumeration takes 0.1 µs


def fire(step: Step, fired: Fired) -> None:
    """Fire a trigger and schedule what became ready. Tasks in declaration order, instances in creation order."""
    session, trigger = step.session, fired.trigger
    ready: list[_Ready] = []
    for task in session.plan.by_trigger.get(trigger, ()):
        state = session.task_state(task.name)
        creates = trigger == task.and_every or state.count == 0
        if state.cohorts:
            offer = _Offer(step, task, state, fired)
            creates = offer.make() and creates
            ready += offer.ready
        if creates:
            ready += _create(step, task, state, fired)
    fired.note()
    for task, number, name, instance in ready:
        start(step, task, number, name, instance)
    scheduled = () if step.outcome is _STOPPED else tuple([name for _, _, name, _ in ready])
    step.fires.append(Fire(trigger, scheduled))


def can_run(task: TaskConfig, have: Collection[str]) -> bool:
    """All of `after` is there. A task that waits for nothing never runs by itself."""
    return bool(task.after) and _all_in(task.after, have)


def can_abandon(task: TaskConfig, seen: Collection[str]) -> bool:
    """All of `unless` has fired."""
    return bool(task.unless) and _all_in(task.unless, seen)


def _all_in(names: Sequence[str], have: Collection[str]) -> bool:
    """`set.issubset` would make a set of the list first."""
    for name in names:  # noqa: SIM110  # a generator takes longer than the comparisons
        if name not in have:
            return False
    return True


_Ready = tuple[TaskConfig, int, str, Instance]
"""Rule, number, name and instance."""
_number: Final = itemgetter(1)


class _Offer:
    """One trigger offered to the waiting instances of one task that uses it."""

    def __init__(self, step: Step, task: TaskConfig, state: TaskState, fired: Fired) -> None:
        self._step = step
        self._task = task
        self._state = state
        self._fired = fired
        self._fills = fired.trigger in task.after_set
        self._sees = fired.trigger in task.unless_set
        self.ready: list[_Ready] = []
        """What became ready, in creation order."""

    def make(self) -> bool:
        """Give the trigger to them; whether none took it."""
        taken = [self._give(cohort) for cohort in self._state.cohorts]
        for cohort in list(self._state.cohorts):
            self._settle(cohort)
        self.ready.sort(key=_number)
        return not any(taken)

    def _give(self, cohort: Cohort) -> bool:
        """Whether the cohort took the trigger; the first kwargs stay."""
        trigger = self._fired.trigger
        fills = self._fills and trigger not in cohort.have
        if fills:
            cohort.have = sorted((*cohort.have, trigger))
            cohort.fills[trigger] = self._kwargs_for(cohort)
        sees = self._sees and trigger not in cohort.seen
        if sees:
            cohort.seen = sorted((*cohort.seen, trigger))
        return fills or sees

    def _kwargs_for(self, cohort: Cohort) -> Payload:
        """An only member that starts now may have them in its row; as long as they wait, they are the header's."""
        number = only_number(cohort)
        if number is not None and can_run(self._task, cohort.have):
            return self._fired.give(self._task.name, number)
        return self._fired.share()

    def _settle(self, cohort: Cohort) -> None:
        """Abandon or start its members. Any cohort: a changed configuration may have made it ready untouched."""
        if can_abandon(self._task, cohort.seen):
            for _, number, _, _ in self._dissolve(cohort):
                move(self._step, self._task.name, number, Status.ABANDONED)
        elif can_run(self._task, cohort.have):
            self.ready += self._dissolve(cohort)

    def _dissolve(self, cohort: Cohort) -> list[_Ready]:
        """Write into the members' rows what the cohort held for them."""
        self._state.cohorts.remove(cohort)
        session, task = self._step.session, self._task
        name = task.name
        members = [
            (task, number, instance_name(name, number), session.change(name, number)) for number in numbers_of(cohort)
        ]
        for _, _, _, instance in members:
            settle(instance, cohort)
        return members


def _create(step: Step, task: TaskConfig, state: TaskState, fired: Fired) -> tuple[_Ready, ...]:
    """A new instance takes the latest kwargs of everything that fired before, and the trigger's own; if it is ready."""
    instance = _new_instance(step, task, state, fired)
    number = step.session.add_instance(task.name, state, instance)
    name = instance_name(task.name, number)
    step.note(name, UNSTARTED)
    if can_abandon(task, instance.seen):
        move(step, task.name, number, Status.ABANDONED)
    elif can_run(task, instance.kwargs):
        return ((task, number, name, instance),)
    else:
        join_cohort(step, task.name, number, instance)
    return ()


def _new_instance(step: Step, task: TaskConfig, state: TaskState, fired: Fired) -> Instance:
    session, trigger = step.session, fired.trigger
    kwargs: dict[str, Payload] = {}
    for name in task.after:
        found = fired.give(task.name, state.count) if name == trigger else session.take_latest(name)
        if found is not None:
            kwargs[name] = found
    unless, latest = task.unless, session.latest.get
    seen = [name for name in unless if name == trigger or latest(name) is not None] if unless else []
    return Instance(sequence=session.header.instances, created=step.time, kwargs=kwargs, seen=seen)
