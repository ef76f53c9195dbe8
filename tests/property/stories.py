"""Random sessions with the state of the naive model before and after each event."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import dataclass
from random import Random
from typing import Any

from tests.property.naive_model import Instance, Task
from tests.property.scripts import Script
from tests.support.memory_session import MemorySession

from triggers.core.events import Event, SkipRequested, StatusSet, TaskFinished, TriggerFired


@dataclass
class Step:
    """An event, and the model before and after it."""

    event: Event
    tasks: dict[str, Task]
    before: dict[str, Instance]
    after: dict[str, Instance]

    def of_task(self, task: str) -> list[Instance]:
        """Returns the task's instances before the event, without the one that the event is about."""
        return [i for i in self.before.values() if i.task == task and i.name != own(self.event)]


@dataclass
class Story:
    """A random session: its steps, and the core after them."""

    steps: list[Step]
    core: MemorySession
    tasks: dict[str, Task]
    instances: dict[str, Instance]
    latest: dict[str, Any]

    @property
    def log(self) -> list[Event]:
        return [step.event for step in self.steps]


def story_of(random: Random, steps: int, own_triggers: list[str]) -> Story:
    """Creates a random session and copies the model before and after each event."""
    script = Script(random, own_triggers)
    model, core = script.pair.model, script.pair.core
    story = [Step(core.log[0], deepcopy(model.tasks), {}, {})]
    for _ in range(steps):
        before, events = _by_name(model.instances), len(core.log)
        script.step()
        if len(core.log) > events:
            story.append(Step(core.log[-1], deepcopy(model.tasks), before, _by_name(model.instances)))
    return Story(story, core, model.tasks, _by_name(model.instances), model.latest)


def _by_name(instances: list[Instance]) -> dict[str, Instance]:
    return {instance.name: deepcopy(instance) for instance in instances}


def own(event: Event) -> str:
    """Returns the name of the instance that the event is about, or an empty string."""
    return str(getattr(event, "instance", ""))


def fired_by(event: Event) -> tuple[str, Any] | None:
    """Returns the trigger that the event fires if it is applied, and its kwargs; None if it fires none."""
    match event:
        case TriggerFired():
            return event.trigger, json.loads(event.kwargs)
        case TaskFinished():
            return own(event).split("#")[0], json.loads(event.result)
        case SkipRequested(cascade=True):
            return own(event).split("#")[0], json.loads(event.result)
        case StatusSet(cascade=True):
            return own(event).split("#")[0], json.loads(event.cascade_kwargs)
        case _:
            return None
