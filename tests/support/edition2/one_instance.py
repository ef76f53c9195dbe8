"""One waiting instance under a rule, and the memory of its session, for tests of conditions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from triggers.core.conditions.condition_view import ConditionView
from triggers.core.conditions.evaluator import Evaluator, Occurrence
from triggers.core.conditions.held import Held, Memory
from triggers.core.conditions.memory import remember, seeds
from triggers.core.conditions.offering import Taken, match_leaves, offer
from triggers.core.conditions.receiving import received
from triggers.core.conditions.tree import Conditions
from triggers.core.conditions.updating import carry_memory_over, carry_over
from triggers.core.contribution import Contribution
from triggers.core.edition_2_directives import parse_task


class OneInstance:
    """Fires triggers at an instance, one a second unless a time is given."""

    def __init__(self, **directives: object) -> None:
        self.conditions = _parsed(directives)
        self.held = Held()
        self.memory = Memory()
        self.fired = 0
        self.clock = 0
        self.evaluator = Evaluator({"uid": "s", "rules": None})

    def fire(self, trigger: str, at: float | None = None, **kwargs: object) -> Taken:
        """Offer an event that happens `at` seconds."""
        self.fired += 1
        self.clock = self.clock + 1_000 if at is None else int(at * 1_000)
        text = msgspec.json.encode(kwargs)
        own = Contribution(text, self.clock, self.fired)
        occurrence = Occurrence(trigger, own)
        offered = match_leaves(self.conditions.leaves, occurrence, self.evaluator)
        remember(self.memory, self.conditions.leaves, offered)
        self._offered = offered
        return offer(self.view, offered)

    def hold(self, slot: str, kwargs: Iterable[Mapping[str, object]]) -> None:
        """Let the instance and its session hold contributions, as if they had been fired at the empty slot.

        A fire evaluates the expression for each candidate, so a thousand fires take seconds.
        """
        contributions = []
        for each in kwargs:
            self.fired += 1
            self.clock += 1_000
            contributions.append(Contribution(msgspec.json.encode(each), self.clock, self.fired))
        self.held.slots[slot], self.memory.slots[slot] = contributions, list(contributions)

    def another(self) -> OneInstance:
        """Return the instance that the latest event would have made."""
        new = OneInstance.__new__(OneInstance)
        new.__dict__ |= self.__dict__ | {"held": Held()}
        for seed in seeds(self.conditions, self.memory, self._offered):
            offer(new.view, seed)
        offer(new.view, self._offered)
        return new

    def update(self, **directives: object) -> None:
        """Replace the rule."""
        conditions = _parsed(directives)
        carry_memory_over(self.memory, self.conditions, conditions)
        carry_over(self.held, self.conditions, conditions)
        self.conditions = conditions

    @property
    def view(self) -> ConditionView:
        """What is true of the instance now."""
        return ConditionView(self.conditions, self.held, self.evaluator)

    @property
    def ready(self) -> bool:
        """Whether `after` is true."""
        return self.view.is_true(self.conditions.root)

    @property
    def receives(self) -> dict[str, object]:
        """What its task would receive."""
        return {alias: msgspec.json.decode(text) for alias, text in received(self.view).items()}


def _parsed(directives: dict[str, object]) -> Conditions:
    return parse_task("t", directives | {"run": "app.T"}).conditions
