"""A condition, compiled: combinators over leaves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from triggers.core.expressions.program import Expression

MAX_HELD: Final = 1_000
"""Maximum number of contributions, or of candidates, that a leaf holds."""


class Kind(StrEnum):
    """The kind of a combinator."""

    ALL = "all"
    ANY = "any"
    AT_LEAST = "atLeast"
    SEQUENCE = "sequence"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """One trigger that a condition waits for."""

    trigger: str
    alias: str
    when: Expression | None = None
    count: int | Expression | None = 1
    """The number of contributions: an integer, an expression that reads `on`, or None for "all"."""
    distinct: Expression | None = None
    latest: bool = False
    """True for `keep: latest`: the leaf never closes, and holds the newest contributions."""
    goes_on: bool = False
    """True if the leaf takes events although a `within` around it is true: with `keep: latest`, or with `restart`."""
    plain: bool = False
    """True for a bare trigger, without further keys."""
    slot: str = ""
    """The key under which instances and sessions store the leaf's contributions."""
    need: int = 0
    """The number of contributions that make the leaf true, or 0 if only an expression says it."""
    zero_is_true: bool = True
    """True if a count of 0 makes the leaf true. In `unless` it does not."""

    correlated: bool = False
    """True if `when` reads what the instance holds, so that the leaf holds candidates."""
    passes_list: bool = False
    """True if the task receives a list."""

    @property
    def is_latest(self) -> bool:
        """True if the leaf needs only the latest kwargs of its trigger, which the session stores in any case."""
        return self.count == 1 and self.when is None and self.distinct is None

    @property
    def remembered(self) -> int:
        """The number of contributions that the session remembers for the leaf."""
        return self.count if isinstance(self.count, int) and not self.correlated else MAX_HELD

    @property
    def identity(self) -> tuple[str, ...]:
        """An update recognises the leaf by this. `unless` allows no alias, so the alias is the trigger there."""
        parts = (self.when, self.distinct)
        return self.trigger, self.alias, *["" if part is None else part.text for part in parts]

    def leaves(self) -> Iterator[Leaf]:
        """Yields the leaf itself, so that callers need not distinguish it from a combinator."""
        yield self


@dataclass(frozen=True, slots=True, kw_only=True)
class Combinator:
    """`all`, `any`, `atLeast` or `sequence` over children, optionally within a time."""

    kind: Kind
    children: tuple[Node, ...]
    need: int = 0
    """The number of children that must be true, for `atLeast`."""
    within: int = 0
    """Milliseconds within which it must become true, or 0 if there is no such limit."""
    mark: bytes = b""
    """The mark that an instance stores when the combinator becomes true within its time. Equal JSON has equal marks."""
    triggers: frozenset[str] = frozenset()

    def leaves(self) -> Iterator[Leaf]:
        """Yields the leaves below it, in their order."""
        for child in self.children:
            yield from child.leaves()


Node = Leaf | Combinator


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """The compiled conditions of a task: when it runs, and when it is abandoned."""

    root: Combinator
    """The condition of `after`, with the leaf of `andEvery` as a further child of an `all`."""
    and_every: Leaf | None
    unless: Node | None
    leaves: tuple[Leaf, ...]
    """The leaves of `root` and of `unless`, in their order."""
    by_trigger: dict[str, tuple[Leaf, ...]]
    by_slot: dict[str, Leaf]
    by_alias: dict[str, Leaf]
    """The leaves of `after` and `andEvery` by alias."""
    before: dict[str, tuple[Node, ...]]
    """Slot of a leaf in a sequence -> the children of its sequences that come before it."""

    combinators: tuple[Combinator, ...] = ()
    """The combinators of both trees, the inner ones first."""
    windows: bool = False
    """True if a combinator has a `within`."""
    sequences: bool = False
    steady: bool = False
    """True if contributions are never dropped and their order does not matter: there is no window, no sequence, and no
    `when` or `count` that reads what is held."""

    @property
    def after_leaves(self) -> Iterator[Leaf]:
        """The leaves of `after`, without those of `andEvery`."""
        return (leaf for leaf in self.root.leaves() if leaf is not self.and_every)

    @property
    def trees(self) -> tuple[Node, ...]:
        """`after` with `andEvery`, and `unless` if there is one."""
        return (self.root,) if self.unless is None else (self.root, self.unless)


def combinators(node: Node) -> Iterator[Combinator]:
    """Yields the combinators of a condition, the inner ones first."""
    if isinstance(node, Combinator):
        for child in node.children:
            yield from combinators(child)
        yield node


def children_before(node: Node, before: tuple[Node, ...] = ()) -> Iterator[tuple[str, tuple[Node, ...]]]:
    """Yields, for each leaf in a sequence, its slot and the children before it. The first child's leaves have none."""
    if isinstance(node, Leaf):
        if before:
            yield node.slot, before
        return
    for at, child in enumerate(node.children):
        earlier = node.children[:at] if node.kind is Kind.SEQUENCE else ()
        yield from children_before(child, before + earlier)
