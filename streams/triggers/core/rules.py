"""What a trigger does to a session: which instances it fills, creates, abandons and makes ready."""

from __future__ import annotations

from collections.abc import Collection

from triggers.core.commands import Fire, Outcome
from triggers.core.config import TaskConfig
from triggers.core.header import Cohort, TaskState
from triggers.core.instance import Instance, instance_name
from triggers.core.lifecycle import create, join_cohort, move, schedule, settle
from triggers.core.statuses import Status
from triggers.core.step import Step


def fire(step: Step, trigger: str, payload: int, *, held: bool = False) -> None:
    """Fire a trigger, `payload` being its kwargs, and schedule what became ready.

    Tasks in declaration order, instances in creation order. `held`: an instance has the payload already, as its result.
    """
    ready: list[tuple[str, int]] = []
    for task in step.session.plan.by_trigger.get(trigger, ()):
        offer = _Offer(step, task, trigger, payload)
        ready += [(task.name, number) for number in offer.make()]
        held |= offer.held
    step.session.set_latest(trigger, payload, held=held)
    for name, number in ready:
        schedule(step, name, number)
    scheduled = () if step.decision.outcome is Outcome.STOPPED else tuple([instance_name(*of) for of in ready])
    step.decision.fires.append(Fire(trigger, scheduled))


def can_run(task: TaskConfig, have: Collection[str]) -> bool:
    """All of `after` is there. A task that waits for nothing never runs by itself."""
    return bool(task.after_set) and task.after_set.issubset(have)


def can_abandon(task: TaskConfig, seen: Collection[str]) -> bool:
    """All of `unless` has fired."""
    return bool(task.unless_set) and task.unless_set.issubset(seen)


class _Offer:
    """One trigger offered to one task that uses it."""

    __slots__ = ("_fills", "_payload", "_ready", "_sees", "_state", "_step", "_task", "_trigger", "held")

    def __init__(self, step: Step, task: TaskConfig, trigger: str, payload: int) -> None:
        self._step = step
        self._task = task
        self._trigger = trigger
        self._payload = payload
        self._state: TaskState = step.session.task_state(task.name)
        self._fills = trigger in task.after_set
        self._sees = trigger in task.unless_set
        self._ready: list[int] = []
        self.held = False
        """Whether an instance holds the payload now."""

    def make(self) -> list[int]:
        """Give the trigger to the waiting instances, or to a new one; numbers of what is ready, in creation order."""
        create_one = self._state.count == 0 or self._trigger == self._task.and_every
        for cohort in self._state.cohorts:
            create_one = not self._give(cohort) and create_one
        for cohort in list(self._state.cohorts):
            self._settle(cohort)
        if create_one:
            self._create()
        return sorted(self._ready)

    def _give(self, cohort: Cohort) -> bool:
        """Whether the cohort took the trigger; the first kwargs stay."""
        fills = self._fills and self._trigger not in cohort.have
        if fills:
            cohort.fills[self._trigger] = self._payload
            cohort.have = sorted((*cohort.have, self._trigger))
            self.held = True
        sees = self._sees and self._trigger not in cohort.seen
        if sees:
            cohort.seen = sorted((*cohort.seen, self._trigger))
        return fills or sees

    def _settle(self, cohort: Cohort) -> None:
        """Abandon or start its members. Any cohort: a changed configuration may have made it ready untouched."""
        if can_abandon(self._task, cohort.seen):
            for number in self._dissolve(cohort):
                move(self._step, self._task.name, number, Status.ABANDONED)
        elif can_run(self._task, cohort.have):
            self._ready += self._dissolve(cohort)

    def _dissolve(self, cohort: Cohort) -> list[int]:
        """Write into the members' rows what the cohort held for them."""
        self._state.cohorts.remove(cohort)
        members = list(cohort)
        for number in members:
            settle(self._step.session.change(self._task.name, number), cohort)
        return members

    def _create(self) -> None:
        """A new instance takes the latest kwargs of everything that fired before, and the trigger's own."""
        instance = self._new_instance()
        number = create(self._step, self._task.name, instance)
        if can_abandon(self._task, instance.seen):
            move(self._step, self._task.name, number, Status.ABANDONED)
        elif can_run(self._task, instance.kwargs):
            self._ready.append(number)
        else:
            join_cohort(self._step, self._task.name, number, instance)

    def _new_instance(self) -> Instance:
        session, trigger = self._step.session, self._trigger
        kwargs: dict[str, int] = {}
        for name in self._task.after:
            payload = self._payload if name == trigger else session.take_latest(name)
            if payload is not None:
                kwargs[name] = payload
        self.held |= self._fills
        fired = session.latest.get
        seen = [name for name in self._task.unless if name == trigger or fired(name) is not None]
        return Instance(sequence=session.header.instances, created=self._step.time, kwargs=kwargs, seen=seen)
