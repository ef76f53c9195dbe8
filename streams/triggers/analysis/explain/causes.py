"""Finds what has to happen before a missing trigger fires."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from types import MappingProxyType

from triggers.analysis.explain.explanation import MissingCause
from triggers.core.instance_names import instance_name
from triggers.core.plan import Rule
from triggers.core.state.instance import Instance
from triggers.core.statuses import IN_FLIGHT, RESOLVED, Status

Numbered = tuple[int, Instance]


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
        self,
        rules: Mapping[str, Rule],
        instances: Mapping[str, Sequence[Numbered]],
        fired: Collection[str],
        engine: Mapping[str, str] = MappingProxyType({}),
        resolved: Collection[str] = RESOLVED,
    ) -> None:
        """`instances` are those of each task, in creation order, with kwargs. `fired` are the triggers that fired.

        `engine` says when the engine fires a trigger that nobody else does, and `resolved` which statuses are final.
        """
        self._engine = engine
        self._resolved = resolved
        self._rules = rules
        self._instances = instances
        self._fired = fired

    def find(self, trigger: str, task: str) -> list[MissingCause]:
        """Returns what has to happen before the trigger fires for the task, each cause once."""
        return list(dict.fromkeys(self._find(trigger, (task,))))

    def _find(self, trigger: str, chain: tuple[str, ...]) -> Iterator[MissingCause]:
        rule = self._rules.get(trigger)
        if trigger in self._engine:
            yield MissingCause(kind="outcome", name=trigger, why=self._engine[trigger])
        elif rule is None:
            yield MissingCause(kind="fire", name=trigger, why="an application has to fire it")
        elif trigger in chain:
            yield MissingCause(
                kind="cycle", name=trigger, why=f"{' → '.join((*chain, trigger))}: they wait for each other"
            )
        else:
            yield from self._find_for_task(rule, (*chain, trigger))

    def _find_for_task(self, rule: Rule, chain: tuple[str, ...]) -> Iterator[MissingCause]:
        number, instance = self._nearest(rule.name)
        if instance is not None and instance.status != Status.UNSTARTED:
            why = _WHY.get(Status(instance.status)) if instance.status in _WHY else f"is {instance.status}"
            yield MissingCause(kind="instance", name=instance_name(rule.name, number), why=why or "")
            return
        have = {trigger for trigger in rule.after if trigger in self._fired} if instance is None else instance.kwargs
        for trigger in rule.after:
            if trigger not in have:
                yield from self._find(trigger, chain)

    def _nearest(self, task: str) -> tuple[int, Instance | None]:
        """Returns the instance that is nearest to its end: one under way, else failed, else waiting, else resolved."""
        instances = self._instances.get(task, ())
        return min(instances, key=lambda one: _distance(one[1], self._resolved), default=(0, None))


def _distance(instance: Instance, resolved: Collection[str]) -> int:
    if instance.status in IN_FLIGHT:
        return 0
    if instance.status == Status.UNSTARTED:
        return 2
    return 3 if instance.status in resolved else 1
