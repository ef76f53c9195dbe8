"""Random operations on a pair of model and core. One seed determines the whole script."""

from __future__ import annotations

from random import Random
from typing import Any

from tests.property.naive_model import Instance, Kwargs
from tests.property.paired import Pair

TRIGGERS = ["a", "b", "c", "d", "p", "x", "t_0", "t_1"]
"""The last two are also names of tasks."""
OWN_STATUSES = ["parked", "stage 2"]


class Script:
    """Chooses operations and applies them. `own` are the triggers that the application fires."""

    def __init__(self, random: Random, own: list[str] = TRIGGERS) -> None:
        self._random = random
        self._own = own
        self.pair = Pair()
        self.pair.configure(self._configuration(5))

    def step(self) -> None:
        """Applies one operation. Fires and results are more frequent than the rest."""
        choice = self._random.choices(["fire", "work", "rare", "configure"], [8, 8, 3, 1])[0]
        waiting = [i for i in self.pair.model.instances if i.waits_for_timer]
        if choice == "configure":
            self.pair.configure(self._configuration(2))
        elif choice == "fire" or not self.pair.model.instances:
            self.pair.fire(self._random.choice(self._own), self._kwargs())
        elif waiting and self._random.random() < 0.5:
            instance = self._random.choice(waiting)
            self.pair.timer(instance.name, instance.attempt + self._random.choice([0, 0, 0, 1]))
        elif choice == "work":
            self._work(self._busy())
        else:
            self._operate(self._random.choice(self.pair.model.instances))

    def _work(self, instance: Instance) -> None:
        name, pair = instance.name, self.pair
        if instance.waits_for_timer:
            return
        action = self._random.choice(["start", "finish", "finish", "fail", "fail", "status", "retry"])
        if action == "start":
            pair.start(name)
        elif action == "finish":
            pair.finish(name, self._kwargs())
        elif action == "fail":
            pair.fail(name)
        elif action == "status":
            pair.status_change(name, self._random.choice(["skipped", "failed", *OWN_STATUSES]))
        else:
            pair.retry(name, self._replacement(), self._random.choice([0, 0, 1500]))

    def _operate(self, instance: Instance) -> None:
        name, pair = instance.name, self.pair
        action = self._random.choice(["replay", "replay", "skip", "clone", "metadata", "by hand"])
        if action == "replay":
            pair.replay(name, self._replacement())
        elif action == "skip":
            pair.skip(name, self._kwargs(), cascade=self._random.random() < 0.5)
        elif action == "clone":
            pair.clone(name)
        elif action == "metadata":
            pair.set_metadata(name, {"note": self._kwargs()})
        else:
            self._set_by_hand(instance)

    def _set_by_hand(self, instance: Instance) -> None:
        statuses = ["finished", "failed", "skipped", "abandoned", "unstarted"]
        if instance.status not in {"scheduled", "running"}:
            statuses += OWN_STATUSES
        kwargs = self._kwargs() if self._random.random() < 0.3 else None
        self.pair.set_status(instance.name, self._random.choice(statuses), kwargs)

    def _busy(self) -> Instance:
        instances = self.pair.model.instances
        busy = [i for i in instances if i.status in {"scheduled", "running", "failed"}]
        return self._random.choice(busy if busy and self._random.random() < 0.9 else instances)

    def _configuration(self, tasks: int) -> dict[str, Any]:
        names = self._random.sample([f"t_{n}" for n in range(7)], tasks)
        return {name: self._directives(n) for n, name in enumerate(names)}

    def _directives(self, number: int) -> dict[str, Any]:
        def some(limit: int) -> list[str]:
            return self._random.sample(TRIGGERS, self._random.randint(0, limit))

        task: dict[str, Any] = {"after": some(3), "run": f"app.{number}"}
        if self._random.random() < 0.5:
            task["andEvery"] = self._random.choice(TRIGGERS)
        if self._random.random() < 0.5:
            task["unless"] = some(2)
        if self._random.random() < 0.3:
            task["withParams"] = {self._random.choice(TRIGGERS): {"n": -1, "w": {"deep": 1}}}
        return task

    def _kwargs(self) -> Kwargs:
        values: list[Any] = [0, 2**53, None, "", "ü", 80 * "x", 600 * "y", [1, {}], {"deep": 2, "new": True}]
        return {self._random.choice("nw"): self._random.choice(values) for _ in range(self._random.randint(0, 2))}

    def _replacement(self) -> Kwargs | None:
        if self._random.random() < 0.6:
            return None
        return {trigger: self._kwargs() for trigger in self._random.sample([*TRIGGERS, "else"], 2)}
