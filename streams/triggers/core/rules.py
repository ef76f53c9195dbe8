"""Applies a trigger to the rules of a session: which instances it fills, creates, abandons and starts."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from operator import itemgetter
from typing import Final

from triggers.core.commands import Fire, Outcome
from triggers.core.fired import Fired
from triggers.core.instance_names import instance_name
from triggers.core.lifecycle import join_cohort, move, settle, start
from triggers.core.plan import TaskConfig
from triggers.core.state.cohorts import numbers_of, only_number
from triggers.core.state.header import Cohort, TaskState
from triggers.core.state.instance import Instance, Payload
from triggers.core.statuses import UNSTARTED, Status
from triggers.core.step import Step

_STOPPED: Final = Outcome.STOPPED  # looked up only once, because each look-up of an enumeration's member takes 0.1 µs


def fire(step: Step, fired: Fired) -> None:
    """Fires a trigger and starts the instances that become ready, by declaration order and then creation order."""
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
    """Returns whether `have` contains all triggers of `after`. A task with an empty `after` never becomes ready."""
    return bool(task.after) and _all_in(task.after, have)


def can_abandon(task: TaskConfig, seen: Collection[str]) -> bool:
    """Returns whether `seen` contains all triggers of `unless`. A task without `unless` is never abandoned."""
    return bool(task.unless) and _all_in(task.unless, seen)


def _all_in(names: Sequence[str], have: Collection[str]) -> bool:
    """Returns whether `have` contains all names. `set.issubset` would have to build a set first."""
    for name in names:  # noqa: SIM110  # a generator takes longer than the comparisons
        if name not in have:
            return False
    return True


_Ready = tuple[TaskConfig, int, str, Instance]
"""An instance that is ready to start: its rule, number, name and row."""
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
        """Instances that became ready, in creation order once `make` has returned."""

    def make(self) -> bool:
        """Gives the trigger to every waiting cohort. Returns True if no cohort could use it."""
        used = [self._give(cohort) for cohort in self._state.cohorts]
        for cohort in list(self._state.cohorts):
            self._settle(cohort)
        self.ready.sort(key=_number)
        return not any(used)

    def _give(self, cohort: Cohort) -> bool:
        """Gives the trigger to a cohort and returns whether it could use it. Kwargs that it has are not replaced."""
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
        """Returns the payload for a cohort. Only if its single member starts now may the member store the kwargs."""
        number = only_number(cohort)
        if number is not None and can_run(self._task, cohort.have):
            return self._fired.give(self._task.name, number)
        return self._fired.share()

    def _settle(self, cohort: Cohort) -> None:
        """Abandons the members of a cohort, or makes them ready, if the rule says so.

        This includes cohorts that could not use the trigger, because an update of the configuration may have made them
        ready.
        """
        if can_abandon(self._task, cohort.seen):
            for _, number, _, _ in self._dissolve(cohort):
                move(self._step, self._task.name, number, Status.ABANDONED)
        elif can_run(self._task, cohort.have):
            self.ready += self._dissolve(cohort)

    def _dissolve(self, cohort: Cohort) -> list[_Ready]:
        """Removes a cohort and copies its fills into the rows of its members, which it returns."""
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
    """Creates an instance and returns it if it is ready. Otherwise it waits in a cohort or is abandoned at once."""
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
    """Returns an instance with the fired kwargs and the latest kwargs of all triggers that have fired before."""
    session, trigger = step.session, fired.trigger
    kwargs: dict[str, Payload] = {}
    for name in task.after:
        found = fired.give(task.name, state.count) if name == trigger else session.take_latest(name)
        if found is not None:
            kwargs[name] = found
    unless, latest = task.unless, session.latest.get
    seen = [name for name in unless if name == trigger or latest(name) is not None] if unless else []
    return Instance(sequence=session.header.instances, created=step.time, kwargs=kwargs, seen=seen)
