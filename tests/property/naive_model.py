"""The rules, written as simply as possible: plain lists of instances, all of which are visited on every event.

The model is slow and obviously right. It shares no code with the engine.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

Kwargs = dict[str, Any]
RESOLVED = {"abandoned", "finished", "skipped", "replayed"}


@dataclass
class Task:
    """A rule."""

    name: str
    after: set[str]
    and_every: str | None
    unless: set[str]
    run: str
    with_params: Kwargs


@dataclass
class Instance:
    """An execution slot of a task."""

    name: str
    task: str
    status: str = "unstarted"
    kwargs: Kwargs = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    depth: int = 0
    parent: str | None = None
    attempt: int = 0
    waits_for_timer: bool = False
    metadata: Kwargs = field(default_factory=dict)


class Refused(Exception):
    """The operation is not possible."""


class NaiveModel:
    """One session. Operations append the commands that they issue to `scheduled`, as (instance, run, kwargs)."""

    def __init__(self) -> None:
        self.tasks: dict[str, Task] = {}
        self.instances: list[Instance] = []
        self.latest: Kwargs = {}
        self.scheduled: list[tuple[str, str, Kwargs]] = []

    # -- operations ---------------------------------------------------------------------------------------------------

    def configure(self, configuration: dict[str, Any]) -> None:
        """Adds tasks, and replaces tasks of the same name without changing their order."""
        for name, rule in configuration.items():
            and_every = rule.get("andEvery")
            after = set(rule["after"]) | ({and_every} if and_every is not None else set())
            unless = set(rule.get("unless") or ())
            self.tasks[name] = Task(name, after, and_every, unless, rule["run"], rule.get("withParams") or {})

    def fire(self, trigger: str, kwargs: Kwargs) -> list[str]:
        """Fires a trigger and returns the names of the instances that became ready."""
        ready: list[Instance] = []
        for task in self.tasks.values():
            if trigger in task.after | task.unless:
                ready += self._fire_at(task, trigger, kwargs)
        self.latest[trigger] = kwargs
        for instance in ready:
            self._schedule(instance)
        return [instance.name for instance in ready]

    def start(self, name: str) -> bool:
        """A worker starts the command. Returns False if that is stale."""
        instance = self.get(name)
        if instance.status != "scheduled" or instance.waits_for_timer:
            return False
        instance.status = "running"
        return True

    def finish(self, name: str, result: Kwargs) -> bool:
        """The task returns a result. Returns False if it is stale."""
        instance = self.get(name)
        if not self._awaits_result(instance):
            return False
        instance.status = "finished"
        instance.metadata["result"] = result
        self.fire(instance.task, result)
        return True

    def end(self, name: str, status: str) -> bool:
        """The task fails, or raises StatusChange. Returns False if that is stale."""
        instance = self.get(name)
        if not self._awaits_result(instance):
            return False
        instance.status = status
        return True

    def retry(self, name: str, kwargs: Kwargs | None, cooldown: int) -> bool:
        """The task requests a retry. Returns False if that is stale."""
        instance = self.get(name)
        if not self._awaits_result(instance):
            return False
        instance.status = "failed"
        self._replay(instance, kwargs, wait=cooldown > 0)
        return True

    def timer(self, name: str, attempt: int) -> bool:
        """A cooldown ends. Returns False if its timer is stale."""
        instance = self.get(name)
        if not instance.waits_for_timer or instance.attempt != attempt:
            return False
        instance.waits_for_timer = False
        self._issue(instance)
        return True

    def replay(self, name: str, kwargs: Kwargs | None) -> None:
        """An operator replays a failed instance."""
        self._replay(self._failed(name), kwargs, wait=False)

    def skip(self, name: str, result: Kwargs, *, cascade: bool) -> None:
        """An operator skips a failed instance."""
        instance = self._failed(name)
        instance.status = "skipped"
        instance.metadata["result"] = result
        if cascade:
            self.fire(instance.task, result)

    def set_status(self, name: str, status: str, kwargs: Kwargs | None) -> None:
        """The application sets a status, unchecked, as with force. Fires the task's name unless kwargs is None."""
        instance = self.get(name)
        instance.status = status
        instance.waits_for_timer = False
        if kwargs is not None:
            self.fire(instance.task, kwargs)

    def set_metadata(self, name: str, metadata: Kwargs) -> None:
        """The application merges metadata."""
        self.get(name).metadata |= metadata

    def clone(self, name: str) -> None:
        """The application creates an unstarted copy."""
        self._copy(self.get(name))

    # -- helpers ------------------------------------------------------------------------------------------------------

    def get(self, name: str) -> Instance:
        """Returns the instance. Raises Refused if it does not exist."""
        for instance in self.instances:
            if instance.name == name:
                return instance
        raise Refused(name)

    def of_task(self, task: str) -> list[Instance]:
        """Returns the task's instances in creation order."""
        return [instance for instance in self.instances if instance.task == task]

    def _fire_at(self, task: Task, trigger: str, kwargs: Kwargs) -> list[Instance]:
        existing = self.of_task(task.name)
        create = trigger == task.and_every if existing else True
        for instance in existing:
            if self._apply(instance, task, trigger, kwargs):
                create = False
        if create:
            self._apply(self._seeded(task, trigger), task, trigger, kwargs)
        return [instance for instance in self.of_task(task.name) if self._evaluate(instance, task)]

    def _seeded(self, task: Task, trigger: str) -> Instance:
        instance = self._new(task.name)
        instance.kwargs = {t: self.latest[t] for t in task.after if t != trigger and t in self.latest}
        instance.seen = {t for t in task.unless if t != trigger and t in self.latest}
        return instance

    @staticmethod
    def _apply(instance: Instance, task: Task, trigger: str, kwargs: Kwargs) -> bool:
        if instance.status != "unstarted":
            return False
        applied = False
        if trigger in task.after and trigger not in instance.kwargs:
            instance.kwargs[trigger] = kwargs
            applied = True
        if trigger in task.unless and trigger not in instance.seen:
            instance.seen.add(trigger)
            applied = True
        return applied

    @staticmethod
    def _evaluate(instance: Instance, task: Task) -> bool:
        """Abandons the instance, or returns whether it is ready. A task that waits for no trigger is never ready."""
        if instance.status != "unstarted":
            return False
        if task.unless and task.unless <= instance.seen:
            instance.status = "abandoned"
            return False
        return bool(task.after) and task.after <= instance.kwargs.keys()

    def _schedule(self, instance: Instance, *, wait: bool = False) -> None:
        instance.status = "scheduled"
        instance.attempt += 1
        instance.waits_for_timer = wait
        if not wait:
            self._issue(instance)

    def _issue(self, instance: Instance) -> None:
        task = self.tasks[instance.task]
        self.scheduled.append((instance.name, task.run, deepcopy(_merged(task.with_params, instance.kwargs))))

    def _replay(self, parent: Instance, kwargs: Kwargs | None, *, wait: bool) -> None:
        parent.status = "replayed"
        clone = self._copy(parent)
        if kwargs is not None:
            clone.kwargs = dict(kwargs)
        self._schedule(clone, wait=wait)

    def _copy(self, parent: Instance) -> Instance:
        clone = self._new(parent.task)
        clone.kwargs, clone.seen = dict(parent.kwargs), set(parent.seen)
        clone.depth, clone.parent = parent.depth + 1, parent.name
        return clone

    def _new(self, task: str) -> Instance:
        instance = Instance(f"{task}#{len(self.of_task(task))}", task)
        self.instances.append(instance)
        return instance

    def _failed(self, name: str) -> Instance:
        instance = self.get(name)
        if instance.status != "failed":
            raise Refused(name)
        return instance

    @staticmethod
    def _awaits_result(instance: Instance) -> bool:
        return instance.status in {"scheduled", "running"} and not instance.waits_for_timer


def _merged(base: Any, fired: Any) -> Any:  # noqa: ANN401  # any JSON
    if not (isinstance(base, dict) and isinstance(fired, dict)):
        return fired
    return {k: _merged(base[k], fired[k]) if k in base and k in fired else (fired | base)[k] for k in {**base, **fired}}
