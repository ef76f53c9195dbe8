"""Random histories of sessions that change from edition 1 to edition 2 while instances wait.

The rules of edition 2 ask what edition 1 never does: when and in which order the triggers were fired that a session
remembers or an instance holds, and from which event they came.
"""

from __future__ import annotations

from typing import Any

from tests.support.edition2.other_histories import TASKS, TRIGGERS, Script
from tests.support.edition2.state import Instance, Json
from typing_extensions import override

WINDOWS = ("1s", "5s", "20s")
ABOUT_THE_EVENT = (
    "event.source == 'shop'",
    "event.id == 'e1' || event.id == 'e2'",
    "event.time % 2 == 0",
    "event.id == null",
)


class SwitchScript(Script):
    """Makes the steps of a history whose session begins in edition 1."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self._left = self._random.randint(4, 16)
        """Number of steps before the change."""
        self._published = False

    @override
    def first_steps(self) -> list[Json]:
        """Some events without rules, or none, then rules of edition 1."""
        random = self._random
        fires = [self._fire() for _ in range(random.choice([0, 0, 1, 3]))]
        self._published = random.random() < 0.4
        rules = {name: self._rule_of_edition_1() for name in random.sample(TASKS, random.randint(1, 3))}
        if self._published:
            return [self._published_step(rules), *fires]
        return [*fires, {"op": "configure", "at": self._at, "configuration": rules}]

    @override
    def next_step(self) -> Json:
        """A step of the session while it has rules of edition 1, then the change, then any step."""
        self._left -= 1
        if self._left > 0:
            step = super().next_step()
            if step["op"] in {"configure", "publish"}:
                return {"op": "configure", "at": self._at, "configuration": self._update_of_edition_1()}
            return step
        if self._left == 0:
            rules = self._rules_of_edition_2()
            if self._published and self._random.random() < 0.7:
                return self._published_step(rules)
            return {"op": "configure", "at": self._at, "configuration": rules}
        return super().next_step()

    def _published_step(self, rules: Json) -> Json:
        step = {"op": "publish", "at": self._at, "name": "rules", "configuration": rules}
        return step | {"existing": "adopt", "default": True}

    @override
    def _fire(self) -> Json:
        step, random = super()._fire(), self._random
        if random.random() < 0.3:
            step["source"] = random.choice(["shop", "bank"])
        if random.random() < 0.3:
            step["time"] = self._at - random.randint(0, 3)
        return step

    @override
    def _about(self, instance: Instance) -> Json:
        """Edition 1 accepts results during a cooldown, when no attempt is issued, and edition 2 does not."""
        cools_down = self.model.sessions["main"].edition == 1 and "cooldown" in instance.timers
        return self._fire() if cools_down else super()._about(instance)

    # -- edition 1 ----------------------------------------------------------------------------------------------------

    def _rule_of_edition_1(self) -> Json:
        random = self._random
        rule: Json = {"run": "app.T", "after": self._some(1, 4)}
        if random.random() < 0.5:
            rule["andEvery"] = random.choice(TRIGGERS)
        if random.random() < 0.4:
            rule["unless"] = self._some(1, 3)
        return rule

    def _some(self, least: int, limit: int) -> list[str]:
        return self._random.sample([*TRIGGERS, TASKS[0]], self._random.randint(least, limit))

    def _update_of_edition_1(self) -> Json:
        return {self._random.choice(TASKS): self._rule_of_edition_1()}

    # -- edition 2 ----------------------------------------------------------------------------------------------------

    def _rules_of_edition_2(self) -> Json:
        session = self.model.sessions.get("main")
        before = {} if session is None else {name: own for name, own in session.written.items() if name in TASKS}
        rules: Json = {"$edition": 2}
        for name, rule in before.items():
            if self._random.random() < 0.8:
                rules[name] = self._as_of_edition_2(rule)
        if self._random.random() < 0.6 or len(rules) == 1:
            rules[self._random.choice(TASKS)] = self._as_of_edition_2(self._rule_of_edition_1())
        return rules

    def _as_of_edition_2(self, rule: Json) -> Json:
        random, own = self._random, dict(rule)
        own["after"] = self._condition_of(rule["after"])
        if random.random() < 0.2:
            own.pop("andEvery", None)
        if "andEvery" in own and random.random() < 0.3:
            own["andEvery"] = {"trigger": own["andEvery"], "count": random.choice([2, "all"])}
        if "unless" in own and random.random() < 0.7:
            own["unless"] = self._condition_of(rule["unless"])
        if random.random() < 0.3:
            own["within"] = random.choice(WINDOWS)
        if random.random() < 0.25:
            own["delay"] = random.choice(["1s", {"for": "5s", "restart": True}])
        if random.random() < 0.25:
            own["deadline"] = random.choice(["5s", {"in": "20s", "then": "run"}])
        return own

    def _condition_of(self, triggers: list[str]) -> Any:  # noqa: ANN401  # a condition
        random, leaves = self._random, [self._leaf_of(trigger) for trigger in triggers]
        random.shuffle(leaves)
        kind = random.choice(["sequence", "sequence", "all", "any", "atLeast", "list"])
        if kind == "list":
            return leaves
        condition: Json = (
            {"atLeast": random.randint(1, len(leaves)), "of": leaves} if kind == "atLeast" else {kind: leaves}
        )
        return condition | ({"within": random.choice(WINDOWS)} if random.random() < 0.6 else {})

    def _leaf_of(self, trigger: str) -> Any:  # noqa: ANN401  # a leaf
        random = self._random
        chance = random.random()
        if chance < 0.5:
            return trigger
        if chance < 0.65:
            return {"trigger": trigger}
        if chance < 0.85:
            return {"trigger": trigger, "when": random.choice(ABOUT_THE_EVENT)}
        return {"trigger": trigger, "count": 2} | random.choice([{}, {"keep": "latest"}])
