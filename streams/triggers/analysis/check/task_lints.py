"""Finds tasks that can never run, never end, or are never abandoned as their rules say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from triggers.analysis.check.cycles import BeginCycle, describe_cycle, find_begin_cycles
from triggers.analysis.check.findings import CheckFinding, finding
from triggers.analysis.check.liveness import Supply, find_cycles
from triggers.analysis.check.locations import Locations
from triggers.analysis.check.needs import always_needed, is_met
from triggers.core.conditions.tree import Kind, Leaf, Node
from triggers.core.plan import Rule


class TaskLints:
    """Checks each task alone, and how tasks wait for each other."""

    def __init__(self, tasks: Mapping[str, Rule], locations: Locations, supply: Supply) -> None:
        self._tasks = tasks
        self._locations = locations
        self._supply = supply
        before = {name: supply.always_before(task) for name, task in tasks.items()}
        self._beaten = {name for name, task in tasks.items() if task.unless and _is_surely_true(task, before[name])}
        self._idle = {name for name, task in tasks.items() if not task.after}
        self.live = supply.runnable(self._beaten | self._idle)
        """The tasks that run if every trigger fires that can."""

    def find(self) -> Iterator[CheckFinding]:
        """Yields the findings, first those about cycles of tasks, then task by task."""
        cycles = find_begin_cycles(self._tasks, self._supply)
        endless = [cycle.names for cycle in cycles]
        locked = self._locked_cycles({name for cycle in endless for name in cycle})
        for begun in cycles:
            yield self._endless(begun)
        for cycle in locked:
            yield self._locked(cycle)
        in_cycle = {name for cycle in (*endless, *locked) for name in cycle}
        for name, task in self._tasks.items():
            yield from self._of_task(name, task, name in in_cycle)

    def _of_task(self, name: str, task: Rule, in_cycle: bool) -> Iterator[CheckFinding]:
        if name in self._idle:
            yield self._empty_after(name)
        elif name in self._beaten:
            yield self._always_wins(name, task)
        else:
            yield from self._waits_for_nobody(name, task)
            if not in_cycle:
                yield from self._waits_for_the_dead(name, task)
            yield from self._never_wins(name, task)
            yield from self._unbounded(name, task, in_cycle)

    # -- never run ----------------------------------------------------------------------------------------------------

    def _empty_after(self, name: str) -> CheckFinding:
        message = f"{name} waits for no trigger, so it never runs"
        fix = "name the trigger that it waits for in `after` or `andEvery`"
        return finding("empty-after", self._locations.find(name, "after"), message, fix, task=name, directive="after")

    def _waits_for_nobody(self, name: str, task: Rule) -> Iterator[CheckFinding]:
        for trigger in sorted(always_needed(self._supply.need_of(task))):
            if why := self._supply.why_not(trigger):
                message = f"{why}, so {name} never runs"
                fix = f"declare {trigger!r}, or name a trigger that the application fires"
                directive = "andEvery" if trigger == task.and_every else "after"
                location = self._locations.find(name, directive, trigger)
                yield finding("unproduced-trigger", location, message, fix, task=name, directive=directive)

    def _waits_for_the_dead(self, name: str, task: Rule) -> Iterator[CheckFinding]:
        needed = sorted(always_needed(self._supply.need_of(task)))
        not_live = [trigger for trigger in needed if trigger in self._tasks and trigger not in self.live]
        dead = [trigger for trigger in not_live if not self._supply.is_fired_by_application(trigger)]
        if dead:
            message = f"{name} waits for {dead[0]}, which never runs"
            location = self._locations.find(name, "after", dead[0])
            yield finding("never-runs", location, message, f"fix {dead[0]}", task=name, directive="after")
        elif name not in self.live and not any(map(self._supply.why_not, needed)):
            yield self._never_true(name, task)

    def _never_true(self, name: str, task: Rule) -> CheckFinding:
        """Returns the finding for a task of edition 2 whose conditions cannot be met, whatever fires."""
        message = f"{name} never runs, because what it waits for can never be true"
        if is_met(self._supply.need_of(task), lambda _: True):
            message = f"{name} never runs, because nothing fires enough of what it waits for"
        fix = "correct the conditions of which a finding says that they are never true"
        if task.edition_2 is not None and all(leaf.correlated for leaf in task.edition_2.conditions.leaves):
            message = (
                f"every leaf of {name} has a `when` that reads `on`, so nothing begins an instance and it never runs"
            )
            fix = "add a leaf whose `when` does not read `on`"
        return finding("never-runs", self._locations.find(name, "after"), message, fix, task=name, directive="after")

    def _locked_cycles(self, endless: set[str]) -> list[list[str]]:
        out = self.live | self._idle | self._beaten | endless
        stuck = {name: self._waits_for(task) for name, task in self._tasks.items() if name not in out}
        return find_cycles(stuck)

    def _waits_for(self, task: Rule) -> list[str]:
        """Returns the tasks that the task waits for. Those whose names are fired by the application are others."""
        sources = [self._supply.producer(t) for t in task.after if not self._supply.is_fired_by_application(t)]
        return [source[0] for source in sources if source is not None]

    def _locked(self, cycle: list[str]) -> CheckFinding:
        chain = ", ".join(f"{name} waits for {of}" for name, of in _turns(cycle))
        message = f"{chain}, so none of them ever runs"
        fix = "remove one of these triggers from `after`"
        location = self._locations.find(cycle[0], "after", cycle[1 % len(cycle)])
        return finding("deadlock", location, message, fix, task=cycle[0], directive="after")

    # -- never end ----------------------------------------------------------------------------------------------------

    def _endless(self, cycle: BeginCycle) -> CheckFinding:
        first, chain = cycle.names[0], describe_cycle(cycle)
        starts = any(name in self.live for name in cycle.names)
        when = "once one of them runs," if starts else "no task starts unless you fire its name, and then"
        location = self._locations.find(first, "andEvery")
        if cycle.filters:
            message = f"{chain}, for as long as {' and '.join(cycle.filters)}: only maxCascadeDepth stops it otherwise"
            fix = "make sure that the filter becomes false, or add a `delay` and a trigger that ends it in `unless`"
            return finding("conditional-cascade", location, message, fix, task=first, directive="andEvery")
        message = f"{chain}: {when} only maxCascadeDepth stops the cascade"
        fix = "move one of these triggers from `andEvery` to `after`, or use a trigger that the application fires"
        return finding("endless-cascade", location, message, fix, task=first, directive="andEvery")

    def _unbounded(self, name: str, task: Rule, in_cycle: bool) -> Iterator[CheckFinding]:
        root = self._root(task)
        if root is None or task.unless or in_cycle:
            return
        message = f"every {root!r} creates another instance of {name}, and nothing limits their number in a session"
        fix = f"limit how often {root!r} is fired, or name in `unless` a trigger that ends it"
        location = self._locations.find(name, "andEvery")
        yield finding("unbounded-and-every", location, message, fix, task=name, directive="andEvery")

    def _root(self, task: Rule) -> str | None:
        """Returns the trigger at the head of a chain of `andEvery`, or None if the task runs once."""
        seen: set[str] = set()
        trigger = task.and_every
        while trigger is not None and trigger in self._tasks and trigger not in seen:
            seen.add(trigger)
            trigger = self._tasks[trigger].and_every
        return trigger

    # -- unless -------------------------------------------------------------------------------------------------------

    def _always_wins(self, name: str, task: Rule) -> CheckFinding:
        names = _listed(task.unless)
        message = f"{name} can run only after all of its `unless` ({names}) has fired, so it is always abandoned"
        if task.unless == (task.and_every,):
            message = f"{names} is both `andEvery` and `unless`: each fire creates and abandons an instance of {name}"
        fix = "name a trigger in `unless` that may not have fired by then"
        location = self._locations.find(name, "unless")
        return finding("unless-always-wins", location, message, fix, task=name, directive="unless")

    def _never_wins(self, name: str, task: Rule) -> Iterator[CheckFinding]:
        for trigger in task.unless:
            if why := self._comes_too_late(name, task, trigger):
                message = f"`unless` of {name} is never satisfied: {why}"
                location = self._locations.find(name, "unless", trigger)
                fix = f"remove {trigger!r} from `unless`, or name a trigger that can fire before {name} runs"
                yield finding("unless-never-wins", location, message, fix, task=name, directive="unless")

    def _comes_too_late(self, name: str, task: Rule, trigger: str) -> str:
        """Says why a trigger cannot have fired before the task runs; empty if it can."""
        if self._supply.is_fired_by_application(trigger):
            return ""
        if why := self._supply.why_not(trigger):
            return why
        source = self._supply.producer(trigger)
        if source is None:
            return ""
        if trigger in self._tasks and trigger not in self.live:
            return f"{trigger} never runs"
        after_it = source[0] == name or name in self._supply.always_before(self._tasks[source[0]])
        return f"{trigger} fires only after {name} has run" if after_it and task.and_every is None else ""


def _is_surely_true(task: Rule, before: set[str]) -> bool:
    """Returns whether `unless` is true as soon as these triggers have fired."""
    if task.edition_2 is None:
        return task.unless_set <= before
    unless = task.edition_2.conditions.unless
    return unless is not None and _is_true_by(unless, before)


def _is_true_by(node: Node, before: set[str]) -> bool:
    if isinstance(node, Leaf):
        return node.is_latest and node.trigger in before
    true = sum(_is_true_by(child, before) for child in node.children)
    if node.within or node.kind is Kind.SEQUENCE:
        return False
    return true >= {Kind.ANY: 1, Kind.AT_LEAST: node.need}.get(node.kind, len(node.children))


def _turns(cycle: list[str]) -> Iterator[tuple[str, str]]:
    """Yields each name with the next one in the cycle."""
    return zip(cycle, (*cycle[1:], cycle[0]), strict=True)


def _listed(names: tuple[str, ...]) -> str:
    return " and ".join(map(repr, names))
