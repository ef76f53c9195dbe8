"""Finds which tasks can run at all, and which triggers always fire before others."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from graphlib import CycleError, TopologicalSorter

from triggers.core.plan import Rule

Tasks = Mapping[str, Rule]


class Supply:
    """Knows which triggers can fire: a finished task fires its name, and the application what it declares."""

    def __init__(self, tasks: Tasks, declared: Collection[str] | None = None, refused: Collection[str] = ()) -> None:
        """`declared` are the triggers that the application fires; None means all that are not a task's name.

        `refused` are tasks that the engine refuses; they are treated as if they could run.
        """
        self._tasks = tasks
        self._declared = None if declared is None else frozenset((*declared, *refused))

    def fired_by_hand(self, trigger: str) -> bool:
        """Returns whether the application fires the trigger."""
        return trigger not in self._tasks if self._declared is None else trigger in self._declared

    def runnable(self, hopeless: Collection[str]) -> set[str]:
        """Returns the tasks that run if every trigger fires that can. `hopeless` tasks never run, whatever fires."""
        live: set[str] = set()
        waiting = {name: task for name, task in self._tasks.items() if name not in hopeless}
        while ready := [name for name, task in waiting.items() if all(self._fires(t, live) for t in task.after)]:
            live.update(ready)
            waiting = {name: task for name, task in waiting.items() if name not in live}
        return live

    def _fires(self, trigger: str, live: set[str]) -> bool:
        return trigger in live or self.fired_by_hand(trigger)

    def always_before(self, task: Rule) -> set[str]:
        """Returns the triggers that must fire before the task runs: its own, and those of the tasks it waits for."""
        before: set[str] = set()
        ahead = list(task.after)
        while ahead:
            trigger = ahead.pop()
            if trigger not in before:
                before.add(trigger)
                ahead += self._before(trigger)
        return before

    def _before(self, trigger: str) -> tuple[str, ...]:
        """Returns the triggers without which this one cannot fire."""
        return () if self.fired_by_hand(trigger) or trigger not in self._tasks else self._tasks[trigger].after


def cycles(waits_for: Mapping[str, Collection[str]]) -> list[list[str]]:
    """Returns rings of names in which each waits for the next. No name is in two rings."""
    remaining = {name: set(others) for name, others in waits_for.items()}
    rings: list[list[str]] = []
    while ring := _ring(remaining):
        rings.append(ring)
        remaining = {name: others for name, others in remaining.items() if name not in ring}
    return rings


def _ring(waits_for: Mapping[str, Collection[str]]) -> list[str]:
    """Returns one ring that begins with its least name, or an empty list if there is none."""
    inside = {name: sorted(other for other in others if other in waits_for) for name, others in waits_for.items()}
    try:
        TopologicalSorter(inside).prepare()
    except CycleError as error:
        ring: list[str] = error.args[1][:0:-1]
        first = ring.index(min(ring))
        return ring[first:] + ring[:first]
    return []
