"""Which tasks can run at all, and what always fires before what."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from graphlib import CycleError, TopologicalSorter

from triggers.core.plan import TaskConfig

Tasks = Mapping[str, TaskConfig]


class Supply:
    """Who fires what: a finished task its own name, the application what it declares."""

    def __init__(self, tasks: Tasks, declared: Collection[str] | None = None, refused: Collection[str] = ()) -> None:
        """`declared`: triggers that the application fires; None: everything that is no task's name.

        `refused`: tasks that the engine does not accept as they stand; they count as if they could run.
        """
        self._tasks = tasks
        self._declared = None if declared is None else frozenset((*declared, *refused))

    def fired_by_hand(self, trigger: str) -> bool:
        """Whether the application fires it."""
        return trigger not in self._tasks if self._declared is None else trigger in self._declared

    def runnable(self, hopeless: Collection[str]) -> set[str]:
        """Tasks that can run if everything fires that can; `hopeless` ones never do, whatever fires."""
        live: set[str] = set()
        waiting = {name: task for name, task in self._tasks.items() if name not in hopeless}
        while ready := [name for name, task in waiting.items() if all(self._fires(t, live) for t in task.after)]:
            live.update(ready)
            waiting = {name: task for name, task in waiting.items() if name not in live}
        return live

    def _fires(self, trigger: str, live: set[str]) -> bool:
        return trigger in live or self.fired_by_hand(trigger)

    def always_before(self, task: TaskConfig) -> set[str]:
        """Triggers without which the task cannot have run: its own, and those of the tasks it waits for."""
        before: set[str] = set()
        ahead = list(task.after)
        while ahead:
            trigger = ahead.pop()
            if trigger not in before:
                before.add(trigger)
                ahead += self._before(trigger)
        return before

    def _before(self, trigger: str) -> tuple[str, ...]:
        """What a trigger cannot fire without."""
        return () if self.fired_by_hand(trigger) or trigger not in self._tasks else self._tasks[trigger].after


def cycles(waits_for: Mapping[str, Collection[str]]) -> list[list[str]]:
    """Rings of names, each waiting for the next; no name is in two of them."""
    left = {name: set(others) for name, others in waits_for.items()}
    found: list[list[str]] = []
    while ring := _ring(left):
        found.append(ring)
        left = {name: others for name, others in left.items() if name not in ring}
    return found


def _ring(waits_for: Mapping[str, Collection[str]]) -> list[str]:
    """One ring, beginning with its least name; empty: there is none."""
    inside = {name: sorted(other for other in others if other in waits_for) for name, others in waits_for.items()}
    try:
        TopologicalSorter(inside).prepare()
    except CycleError as error:
        ring: list[str] = error.args[1][:0:-1]
        first = ring.index(min(ring))
        return ring[first:] + ring[:first]
    return []
