"""Finds names that are misspelt, clash, or are listed twice."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from difflib import SequenceMatcher, get_close_matches

from triggers.analysis.check.condition_lints import leaves_of
from triggers.analysis.check.findings import CheckFinding, finding
from triggers.analysis.check.locations import START, Locations
from triggers.analysis.check.validity import misspelt
from triggers.core.edition_2_plan import FORWARD, Edition2Plan, is_reserved
from triggers.core.kwargs import split_members
from triggers.core.plan import Rule

PREFIX = "t_"
"""The conventional prefix of task names."""
_LIKE_A_TASK = re.compile(r"t_|.+#\d+$")
_SAME = 0.9
_DIGITS = re.compile(r"\d+")


class NameLints:
    """Checks the names of tasks, triggers and keys."""

    def __init__(
        self, names: Collection[str], tasks: Mapping[str, Rule], locations: Locations, rules: Edition2Plan | None = None
    ) -> None:
        """`names` are those of all tasks; `tasks` has only those that the engine accepts. `rules` are of edition 2."""
        self._names = names
        self._tasks = tasks
        self._locations = locations
        self._rules = rules

    def find(self, declared: Collection[str] | None) -> Iterator[CheckFinding]:
        """Yields the findings. `declared` are the triggers that the application fires, or None if unknown."""
        for name in self._names:
            if not name.startswith(PREFIX):
                yield self._prefix(name)
        for task in self._tasks.values():
            yield from self._keys(task)
            yield from self._params(task)
            yield from self._lists(task)
        yield from self._similar(declared)
        if declared is not None:
            yield from self._clashes(declared)
            yield from self._unused(declared)

    # -- names --------------------------------------------------------------------------------------------------------

    def _prefix(self, name: str) -> CheckFinding:
        message = f"the task {name!r} does not begin with {PREFIX!r}, so its name reads like a trigger"
        return finding("task-prefix", self._locations.find(name), message, f"rename it to {PREFIX + name!r}", task=name)

    def _clashes(self, declared: Collection[str]) -> Iterator[CheckFinding]:
        for name in sorted({*self._names} & {*declared}):
            message = f"the application fires {name!r}, which rules cannot tell from the result of the task {name!r}"
            yield finding(
                "name-clash", self._locations.find(name), message, "rename the task or the trigger", task=name
            )

    def _unused(self, declared: Collection[str]) -> Iterator[CheckFinding]:
        used = self._used()
        for trigger in sorted({*declared} - used - {*self._names}):
            near = get_close_matches(trigger, used, n=1)
            fix = f"did you mean {near[0]!r}?" if near else "delete its declaration, or write a rule for it"
            yield finding("unused-trigger", START, f"no rule uses {trigger!r}", fix)

    def _similar(self, declared: Collection[str] | None) -> Iterator[CheckFinding]:
        """Yields pairs of similar triggers, at the first use of each. A declared name is never taken for misspelt."""
        fine = self._used() if declared is None else {*declared, *self._names}
        reported: set[frozenset[str]] = set()
        for task, directive, trigger in self._uses():
            if declared is not None and trigger in fine:
                continue
            for other in sorted(fine - {trigger}):
                if frozenset((trigger, other)) not in reported and _alike(trigger, other):
                    reported.add(frozenset((trigger, other)))
                    yield self._misspelt_trigger(task, directive, trigger, other)

    def _misspelt_trigger(self, task: str, directive: str, trigger: str, other: str) -> CheckFinding:
        location = self._locations.find(task, directive, trigger)
        message = f"the triggers {trigger!r} and {other!r} have nearly the same name"
        fix = f"if {trigger!r} is misspelt, write {other!r}"
        return finding("similar-names", location, message, fix, task=task, directive=directive)

    # -- keys and lists -----------------------------------------------------------------------------------------------

    def _keys(self, task: Rule) -> Iterator[CheckFinding]:
        for key in task.extra if task.edition_2 is None else ():  # edition 2 refuses unknown keys
            if meant := misspelt(key):
                location = self._locations.find(task.name, key)
                message = f"{task.name}: {key!r} is not a directive and is ignored; {meant!r} is one"
                yield finding(
                    "misspelt-directive", location, message, f"write {meant!r}", task=task.name, directive=key
                )

    def _params(self, task: Rule) -> Iterator[CheckFinding]:
        for key in split_members(task.with_params):
            near = [trigger for trigger in task.after if key not in task.after and _alike(key, trigger)]
            if near:
                location = self._locations.find(task.name, "withParams")
                message = f"{task.name}: withParams has {key!r}, but the task waits for {near[0]!r}"
                fix = f"write {near[0]!r}; otherwise the task receives both"
                yield finding("misspelt-param", location, message, fix, task=task.name, directive="withParams")

    def _lists(self, task: Rule) -> Iterator[CheckFinding]:
        for path, location in self._locations.repeated:
            if path[:1] == (task.name,) and path[1:2] in {("after",), ("unless",)} and len(path) == 3:
                message = f"{path[2]!r} is listed twice in {path[1]!r} of {task.name}"
                yield finding("repeated-trigger", location, message, "delete one", task=task.name, directive=path[1])
        for trigger in task.unless:
            is_list = task.edition_2 is None or task.edition_2.simple
            if is_list and trigger in task.after_set and not task.unless_set <= task.after_set:
                yield self._in_both(task.name, trigger)
        for directive, trigger in _listed(task):
            if _LIKE_A_TASK.match(trigger) and not self._is_task(task, trigger):
                yield self._unknown(task.name, directive, trigger)

    def _is_task(self, task: Rule, trigger: str) -> bool:
        """Returns whether a trigger is a task's name, or in edition 2 the outcome of one."""
        name = trigger.rpartition(":")[0] if task.edition_2 is not None and is_reserved(trigger) else trigger
        return name in self._names

    def _in_both(self, task: str, trigger: str) -> CheckFinding:
        message = f"{trigger!r} has always fired by the time {task} can run, so it has no effect in `unless`"
        location = self._locations.find(task, "unless", trigger)
        fix = f"remove {trigger!r} from `unless`"
        return finding("unless-repeats-after", location, message, fix, task=task, directive="unless")

    def _unknown(self, task: str, directive: str, trigger: str) -> CheckFinding:
        near = get_close_matches(trigger, self._names, n=1)
        message = f"{task} refers to a task {trigger!r}, but no task has that name"
        if trigger.rpartition("#")[0] in self._names:
            message = f"{trigger!r} is an instance; when it finishes, it fires its task's name"
            near = [trigger.rpartition("#")[0]]
        fix = f"did you mean {near[0]!r}?" if near else "add the task, or give the trigger a name without 't_'"
        location = self._locations.find(task, directive, trigger)
        return finding("unknown-task", location, message, fix, task=task, directive=directive)

    # -- uses ---------------------------------------------------------------------------------------------------------

    def _used(self) -> set[str]:
        return {trigger for _, _, trigger in self._uses()}

    def _uses(self) -> Iterator[tuple[str, str, str]]:
        for task in self._tasks.values():
            for directive, trigger in _listed(task):
                if task.edition_2 is None or not is_reserved(trigger):
                    yield task.name, directive, trigger
        for forward in () if self._rules is None else self._rules.forwards:
            yield FORWARD, "on", forward.leaf.trigger


def _listed(task: Rule) -> Iterator[tuple[str, str]]:
    if task.edition_2 is not None:
        yield from ((directive, leaf.trigger) for directive, leaf in leaves_of(task.edition_2))
        return
    for trigger in task.after:
        yield "andEvery" if trigger == task.and_every else "after", trigger
    for trigger in task.unless:
        yield "unless", trigger


def _alike(one: str, other: str) -> bool:
    """Returns whether two names differ only by case or a letter or two. Names with different numbers are not alike."""
    if _DIGITS.findall(one) != _DIGITS.findall(other) or one == other:
        return False
    return one.lower() == other.lower() or (min(len(one), len(other)) >= 5 and _ratio(one, other) >= _SAME)


def _ratio(one: str, other: str) -> float:
    matcher = SequenceMatcher(None, one.lower(), other.lower(), autojunk=False)
    return matcher.ratio() if matcher.real_quick_ratio() >= _SAME else 0.0
