"""Conditions as plainly as they can be written: what one instance holds, as lists of events, nothing worked out twice.

Written from the page of the rules, without expressions on what an instance holds. It shares no code with the engine.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Happening:
    """An event: which trigger, when, and what `distinct` and `when` look at."""

    trigger: str
    clock: int
    value: int
    number: int


@dataclass
class NaiveLeaf:
    """A trigger with what it holds."""

    trigger: str
    alias: str
    count: int | None = 1
    """How many contributions make it true, None for `"all"`."""
    least: int | None = None
    """`when` is `kwargs.v >= least`."""
    distinct: bool = False
    """Whether contributions with the same `kwargs.v` count once."""
    latest: bool = False
    goes_on: bool = False
    held: list[Happening] = field(default_factory=list)

    def accepts(self, event: Happening) -> bool:
        return event.trigger == self.trigger and (self.least is None or event.value >= self.least)

    def is_true(self) -> bool:
        return len(self.held) >= (1 if self.count is None else self.count)

    def holds(self) -> list[Happening]:
        return self.held

    def leaves(self) -> list[NaiveLeaf]:
        return [self]

    def is_open(self, *, done: bool) -> bool:
        """`done`: something above has become true within its time."""
        closed = self.count is not None and not self.latest and self.is_true()
        return not closed and (self.goes_on or not done)

    def offer(self, event: Happening, chosen: list[NaiveLeaf], *, done: bool = False) -> None:
        if self.accepts(event) and self.is_open(done=done):
            chosen.append(self)

    def take(self, event: Happening) -> None:
        equal = [other for other in self.held if self.distinct and other.value == event.value]
        if equal and not self.latest:
            return
        self.held = [other for other in self.held if other not in equal] + [event]
        if self.latest and self.count is not None:
            self.held = self.held[-self.count :]

    def drop_before(self, clock: int) -> None:
        self.held = [own for own in self.held if own.clock >= clock]

    def settle(self) -> None:
        """Nothing follows from it."""


@dataclass
class NaiveCombinator:
    """`all`, `any`, `atLeast` or `sequence`."""

    kind: str
    children: list[NaiveLeaf | NaiveCombinator]
    need: int = 0
    within: int = 0
    done: bool = False

    def is_true(self) -> bool:
        if self.done:
            return True
        true = sum(child.is_true() for child in self.children)
        return true >= {"any": 1, "atLeast": self.need}.get(self.kind, len(self.children))

    def holds(self) -> list[Happening]:
        return [own for child in self.children for own in child.holds()]

    def leaves(self) -> list[NaiveLeaf]:
        return [leaf for child in self.children for leaf in child.leaves()]

    def accepts(self, event: Happening) -> bool:
        return any(leaf.accepts(event) for leaf in self.leaves())

    def offer(self, event: Happening, chosen: list[NaiveLeaf], *, done: bool = False) -> None:
        """Find the leaves that get the event; what is too old goes first."""
        if self.within and not self.done and self.accepts(event):
            self.drop_before(event.clock - self.within)
            self.go_back()
        for child in self._turns(event):
            child.offer(event, chosen, done=done or self.done)

    def _turns(self, event: Happening) -> list[NaiveLeaf | NaiveCombinator]:
        if self.kind != "sequence":
            return self.children
        turns = [
            child
            for at, child in enumerate(self.children)
            if all(before.is_true() for before in self.children[:at])
            and not any(after.holds() for after in self.children[at + 1 :])
            and child.accepts(event)
        ]
        return turns[-1:]

    def drop_before(self, clock: int) -> None:
        """Drop what is older; a combinator that is done goes as a whole (called by one around it)."""
        for child in self.children:
            if isinstance(child, NaiveCombinator) and child.done:
                if min(own.clock for own in child.holds()) < clock:
                    child.clear()
            else:
                child.drop_before(clock)

    def clear(self) -> None:
        self.done = False
        for child in self.children:
            if isinstance(child, NaiveCombinator):
                child.clear()
            else:
                child.held = []

    def go_back(self) -> None:
        """Drop what a sequence holds after a child that is not true."""
        for child in self.children:
            if isinstance(child, NaiveCombinator):
                child.go_back()
        if self.kind == "sequence" and not self.done:
            for at, child in enumerate(self.children):
                if not child.is_true():
                    NaiveCombinator("all", self.children[at + 1 :]).clear()
                    return

    def settle(self) -> None:
        """After the event: inner ones first, what is true within its time stays so."""
        for child in self.children:
            child.settle()
        self.done = self.done or (self.within > 0 and self.is_true())


def naive_offer(root: NaiveCombinator, event: Happening) -> None:
    """Offer an event to one instance."""
    chosen: list[NaiveLeaf] = []
    root.offer(event, chosen)
    for leaf in chosen:
        leaf.take(event)
    root.go_back()
    root.settle()
