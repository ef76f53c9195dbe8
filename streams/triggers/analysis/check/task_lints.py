"""Rules that can never run, never end, or are never abandoned as they say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from triggers.analysis.check.findings import Finding, finding
from triggers.analysis.check.liveness import Supply, cycles
from triggers.analysis.check.places import Places
from triggers.core.plan import TaskConfig


class TaskLints:
    """Looks at each task by itself, and at how tasks wait for each other."""

    def __init__(self, tasks: Mapping[str, TaskConfig], places: Places, supply: Supply) -> None:
        self._tasks = tasks
        self._places = places
        self._supply = supply
        beaten = {name: supply.always_before(task) for name, task in tasks.items()}
        self._beaten = {name for name, task in tasks.items() if task.unless and task.unless_set <= beaten[name]}
        self._idle = {name for name, task in tasks.items() if not task.after}
        self.live = supply.runnable(self._beaten | self._idle)
        """Tasks that run if everything fires that can."""

    def find(self) -> Iterator[Finding]:
        """All of them, a task at a time."""
        endless = self._endless_rings()
        locked = self._locked_rings({name for ring in endless for name in ring})
        for ring in endless:
            yield self._endless(ring)
        for ring in locked:
            yield self._locked(ring)
        in_ring = {name for ring in (*endless, *locked) for name in ring}
        for name, task in self._tasks.items():
            yield from self._of_task(name, task, name in in_ring)

    def _of_task(self, name: str, task: TaskConfig, in_ring: bool) -> Iterator[Finding]:
        if name in self._idle:
            yield self._empty_after(name)
        elif name in self._beaten:
            yield self._always_wins(name, task)
        else:
            yield from self._waits_for_nobody(name, task)
            if not in_ring:
                yield from self._waits_for_the_dead(name, task)
            yield from self._never_wins(name, task)
            yield from self._unbounded(name, task, in_ring)

    # -- never run ----------------------------------------------------------------------------------------------------

    def _empty_after(self, name: str) -> Finding:
        message = f"{name} waits for nothing, and a task that waits for nothing never runs"
        fix = "name in `after`, or in `andEvery`, the trigger that it waits for"
        return finding("empty-after", self._places.of(name, "after"), message, fix, task=name, directive="after")

    def _waits_for_nobody(self, name: str, task: TaskConfig) -> Iterator[Finding]:
        for trigger in task.after:
            if trigger not in self._tasks and not self._supply.fired_by_hand(trigger):
                message = f"nobody fires {trigger!r}, so {name} never runs"
                fix = f"declare {trigger!r}, or name a trigger that the application fires"
                directive = "andEvery" if trigger == task.and_every else "after"
                place = self._places.of(name, directive, trigger)
                yield finding("unproduced-trigger", place, message, fix, task=name, directive=directive)

    def _waits_for_the_dead(self, name: str, task: TaskConfig) -> Iterator[Finding]:
        dead = [t for t in task.after if t in self._tasks and t not in self.live and not self._supply.fired_by_hand(t)]
        if dead:
            message = f"{name} waits for {dead[0]}, which never runs"
            place = self._places.of(name, "after", dead[0])
            yield finding("never-runs", place, message, f"mend {dead[0]}", task=name, directive="after")

    def _locked_rings(self, endless: set[str]) -> list[list[str]]:
        stuck = {n: t.after for n, t in self._tasks.items() if n not in self.live | self._idle | self._beaten}
        return cycles({name: after for name, after in stuck.items() if name not in endless})

    def _locked(self, ring: list[str]) -> Finding:
        chain = ", ".join(f"{name} waits for {of}" for name, of in _turns(ring))
        message = f"{chain}: so none of them ever runs"
        fix = "take one trigger of the ring out of its `after`"
        place = self._places.of(ring[0], "after", ring[1 % len(ring)])
        return finding("deadlock", place, message, fix, task=ring[0], directive="after")

    # -- never end ----------------------------------------------------------------------------------------------------

    def _endless_rings(self) -> list[list[str]]:
        return cycles({name: [task.and_every] for name, task in self._tasks.items() if task.and_every is not None})

    def _endless(self, ring: list[str]) -> Finding:
        chain = ", ".join(f"{name} runs each time that {of} finishes" for name, of in _turns(ring))
        starts = any(name in self.live for name in ring)
        when = "as soon as one has run" if starts else "so none begins; fired once by hand"
        message = f"{chain}: {when}, nothing but maxCascadeDepth ends it"
        fix = "let one of them wait in `after` instead of `andEvery`, or for a trigger that the application fires"
        place = self._places.of(ring[0], "andEvery")
        return finding("endless-cascade", place, message, fix, task=ring[0], directive="andEvery")

    def _unbounded(self, name: str, task: TaskConfig, in_ring: bool) -> Iterator[Finding]:
        root = self._root(task)
        if root is None or task.unless or in_ring:
            return
        message = f"every {root!r} makes one more instance of {name}; nothing limits their number in a session"
        fix = "limit how often it is fired, or name in `unless` what ends it"
        place = self._places.of(name, "andEvery")
        yield finding("unbounded-and-every", place, message, fix, task=name, directive="andEvery")

    def _root(self, task: TaskConfig) -> str | None:
        """What fires again and again at the head of a chain of `andEvery`; None: it runs once."""
        seen: set[str] = set()
        trigger = task.and_every
        while trigger is not None and trigger in self._tasks and trigger not in seen:
            seen.add(trigger)
            trigger = self._tasks[trigger].and_every
        return trigger

    # -- unless -------------------------------------------------------------------------------------------------------

    def _always_wins(self, name: str, task: TaskConfig) -> Finding:
        names = _listed(task.unless)
        message = f"by the time that {name} could run, {names} has always fired: it is always abandoned"
        if task.unless == (task.and_every,):
            message = f"{names} is both `andEvery` and `unless`: each fire makes an instance of {name} and abandons it"
        fix = "name in `unless` something that can also not have fired by then"
        place = self._places.of(name, "unless")
        return finding("unless-always-wins", place, message, fix, task=name, directive="unless")

    def _never_wins(self, name: str, task: TaskConfig) -> Iterator[Finding]:
        for trigger in task.unless:
            if why := self._comes_too_late(name, task, trigger):
                message = f"`unless` of {name} is never satisfied: {why}"
                place = self._places.of(name, "unless", trigger)
                fix = f"take {trigger!r} out of `unless`, or name what fires before {name} runs"
                yield finding("unless-never-wins", place, message, fix, task=name, directive="unless")

    def _comes_too_late(self, name: str, task: TaskConfig, trigger: str) -> str:
        """Why a trigger cannot have fired when the task runs; empty: it can."""
        if self._supply.fired_by_hand(trigger):
            return ""
        if trigger not in self._tasks:
            return f"nobody fires {trigger!r}"
        if trigger not in self.live:
            return f"{trigger} never runs"
        after_it = trigger == name or name in self._supply.always_before(self._tasks[trigger])
        return f"{trigger} fires only after {name} has run" if after_it and task.and_every is None else ""


def _turns(ring: list[str]) -> Iterator[tuple[str, str]]:
    """Each name with the next one."""
    return zip(ring, (*ring[1:], ring[0]), strict=True)


def _listed(names: tuple[str, ...]) -> str:
    return " and ".join(map(repr, names))
