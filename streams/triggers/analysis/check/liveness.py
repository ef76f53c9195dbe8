"""Finds which tasks can run at all, which triggers always fire before others, and how often they can fire."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from graphlib import CycleError, TopologicalSorter
from math import ceil, inf

from triggers.analysis.check.needs import Need, always_needed, is_met, need_of_instance, need_of_node, need_of_task
from triggers.core.conditions.tree import Leaf
from triggers.core.edition_2_plan import OUTCOMES
from triggers.core.plan import Rule
from triggers.core.statuses import Status

Tasks = Mapping[str, Rule]
_AFTER_A_RUN = frozenset({Status.FAILED, Status.SKIPPED})


class Supply:
    """Knows which triggers can fire: a finished task fires its name, and the application what it declares.

    In edition 2, outcomes of instances and the end of a session fire triggers, too.
    """

    def __init__(
        self,
        tasks: Tasks,
        declared: Collection[str] | None = None,
        refused: Collection[str] = (),
        finalize: str | None = None,
        impossible: Collection[tuple[str, str]] = (),
    ) -> None:
        """`declared` are the triggers that the application fires; None means all that are not a task's name.

        `refused` are tasks that the engine refuses; they are treated as if they could run. `finalize` is the trigger
        that the engine fires at the end. `impossible` are leaves that are never true, as task and slot.
        """
        self._tasks = tasks
        self._declared = None if declared is None else frozenset((*declared, *refused))
        self._finalize = finalize
        self._impossible = frozenset(impossible)
        self._is_edition_2 = any(task.edition_2 is not None for task in tasks.values())
        self._needs = {name: need_of_task(task, self.is_impossible(task)) for name, task in tasks.items()}

    def is_impossible(self, task: Rule) -> _Impossible:
        """Returns a function that says whether a leaf of the task can never be true."""
        return _Impossible(task.name, self._impossible)

    def need_of(self, task: Rule) -> Need:
        """Returns what must have fired before the task can run."""
        return self._needs[task.name]

    def is_fired_by_application(self, trigger: str) -> bool:
        """Returns whether the application fires the trigger, or perhaps other rules of its session do."""
        if self._declared is not None:
            return trigger in self._declared
        return trigger != self._finalize and self.producer(trigger) is None

    def producer(self, trigger: str) -> tuple[str, str] | None:
        """Returns the task whose instances fire the trigger, with their status; None if no task does."""
        if trigger in self._tasks:
            return trigger, Status.FINISHED
        task, _, status = trigger.rpartition(":")
        return (task, status) if self._is_edition_2 and status in OUTCOMES and task in self._tasks else None

    def why_not(self, trigger: str) -> str:
        """Says why nothing can fire the trigger; empty if something may."""
        if self.is_fired_by_application(trigger) or trigger == self._finalize:
            return ""
        if (source := self.producer(trigger)) is None:
            return f"nothing fires {trigger!r}"
        task, status = source
        rule = self._tasks[task].edition_2
        lacks = "" if rule is None else _LACKS[status] if not _can_become(self._tasks[task], status) else ""
        return f"nothing fires {trigger!r}, because {task} has no {lacks}" if lacks else ""

    def runnable(self, never_run: Collection[str]) -> set[str]:
        """Returns the tasks that run if every trigger fires that can. `never_run` tasks never run, whatever fires."""
        live: set[str] = set()
        made: set[str] = set()

        def fires(trigger: str) -> bool:
            if self.is_fired_by_application(trigger) or (trigger == self._finalize and made):
                return True
            if (source := self.producer(trigger)) is None:
                return False
            task, status = source
            if status == Status.FINISHED or status in _AFTER_A_RUN:
                return task in live
            return task in made and _can_become(self._tasks[task], status)

        while True:
            more = {n for n, t in self._tasks.items() if n not in made and self._has_instance(t, fires)}
            ready = {n for n, need in self._needs.items() if n not in live | {*never_run} and is_met(need, fires)}
            if not more and not ready:
                return live
            made |= more
            live |= ready

    def _has_instance(self, task: Rule, fires: Callable[[str], bool]) -> bool:
        if task.edition_2 is None:
            return is_met(self._needs[task.name], fires)
        return is_met(need_of_instance(task.edition_2, self.is_impossible(task)), fires)

    def always_before(self, task: Rule) -> set[str]:
        """Returns the triggers that must fire before the task runs: its own, and those of the tasks it waits for."""
        before: set[str] = set()
        ahead = list(always_needed(self._needs[task.name]))
        while ahead:
            trigger = ahead.pop()
            if trigger not in before:
                before.add(trigger)
                ahead += self._before(trigger)
        return before

    def _before(self, trigger: str) -> set[str]:
        """Returns the triggers without which this one cannot fire."""
        source = self.producer(trigger)
        if self.is_fired_by_application(trigger) or source is None:
            return set()
        task, status = self._tasks[source[0]], source[1]
        if status == Status.FINISHED or status in _AFTER_A_RUN or task.edition_2 is None:
            return always_needed(self._needs[task.name])
        return always_needed(need_of_instance(task.edition_2, self.is_impossible(task)))

    def max_fires(self, trigger: str, seen: frozenset[str] = frozenset()) -> float:
        """Returns how often the trigger can fire in a session if no operator replays or skips anything."""
        if trigger == self._finalize and not self.is_fired_by_application(trigger):
            return 1
        source = self.producer(trigger)
        if self.is_fired_by_application(trigger) or source is None or trigger in seen:
            return inf
        task = self._tasks[source[0]]
        if task.and_every is None:
            return 1
        events = self.max_fires(task.and_every, seen | {trigger})
        rule = task.edition_2
        every_leaf = None if rule is None else rule.conditions.and_every
        count = every_leaf.count if every_leaf is not None and isinstance(every_leaf.count, int) else 1
        whole = ceil(events / count) if events != inf else inf
        needs_every = source[1] == Status.FINISHED and (rule is None or rule.deadline is None or not rule.deadline.runs)
        return whole if needs_every else whole + 1


class _Impossible:
    """Says of the leaves of one task whether they can never be true."""

    def __init__(self, task: str, slots: frozenset[tuple[str, str]]) -> None:
        self._task = task
        self._slots = slots

    def __call__(self, leaf: Leaf) -> bool:
        return (self._task, leaf.slot) in self._slots


_LACKS: Mapping[str, str] = {
    Status.ABANDONED: "'unless'",
    "expired": "'deadline' that expires",
    "cancelled": "'cancelOn'",
    Status.FAILED: "",
    Status.SKIPPED: "",
    Status.FINISHED: "",
}


def _can_become(task: Rule, status: str) -> bool:
    """Returns whether the rule has the directive that gives an instance the status."""
    rule = task.edition_2
    if rule is None:
        return True
    match status:
        case "expired":
            return rule.deadline is not None and not rule.deadline.runs
        case "cancelled":
            return rule.cancel_on is not None and bool(rule.cancel_on.leaves)
        case "abandoned":
            unless = rule.conditions.unless
            return unless is not None and is_met(need_of_node(unless, lambda _: False), lambda _: True)
        case _:
            return True


def find_cycles(waits_for: Mapping[str, Collection[str]]) -> list[list[str]]:
    """Returns cycles of names in which each waits for the next. No name is in two cycles."""
    remaining = {name: set(others) for name, others in waits_for.items()}
    cycles: list[list[str]] = []
    while cycle := _find_cycle(remaining):
        cycles.append(cycle)
        remaining = {name: others for name, others in remaining.items() if name not in cycle}
    return cycles


def _find_cycle(waits_for: Mapping[str, Collection[str]]) -> list[str]:
    """Returns one cycle from its alphabetically first name on, or an empty list if there is none."""
    inside = {name: sorted(other for other in others if other in waits_for) for name, others in waits_for.items()}
    try:
        TopologicalSorter(inside).prepare()
    except CycleError as error:
        cycle: list[str] = error.args[1][:0:-1]
        first = cycle.index(min(cycle))
        return cycle[first:] + cycle[:first]
    return []
